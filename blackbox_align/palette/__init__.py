"""Cultural Palette: colours (experts of groups of countries), a gate over them, and what is made of both."""
