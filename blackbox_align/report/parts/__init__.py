"""What every page is made of: template, style and script."""
