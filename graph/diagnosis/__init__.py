"""What `opencoder doctor` finds out; no module here needs a package of others to be imported."""
