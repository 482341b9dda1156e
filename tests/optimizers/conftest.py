# The plug-in's own tests need it installed; test_plugin.py sees to that.
collect_ignore = ["example_plugin"]
