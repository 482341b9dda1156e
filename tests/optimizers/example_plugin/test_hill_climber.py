from blackbox_align.testing.optimizers import OptimizerContract


class TestHillClimber(OptimizerContract):
    name = "hill-climber"
