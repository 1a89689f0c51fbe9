"""The registry's nouns and rules: what may be published, under which name, signed by whom."""
