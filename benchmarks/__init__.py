"""What bearward costs, beside the libraries that a user would pick instead: ratios within one run."""
