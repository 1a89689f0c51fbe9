"""`groundwork dev`: every server of the product on one machine, from one folder."""
