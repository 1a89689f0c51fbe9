"""Archives that people upload, read member by member as they stand on disk. Nothing is ever extracted here."""
