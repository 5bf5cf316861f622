"""What choosing among drafts could have won, and what each way of choosing did win."""
