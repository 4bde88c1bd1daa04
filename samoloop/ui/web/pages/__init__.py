"""The pages: each module says in ROUTES what it answers. `app.py` lists the modules."""
