"""Measures the job beside other ways to do it: `python -m bench`. How, is in `README.md`."""
