"""The page that shows a whole run, results/index.html."""
