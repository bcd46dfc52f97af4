"""The table of issuers, by family: data. Private; `bearward.profiles` has the functions."""
