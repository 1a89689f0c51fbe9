"""Wire formats that the command line tools define; field notes and tests say how each reads them."""
