"""Many machines: their sessions travel by git, and a database says who runs which. Nobody needs it on one machine."""
