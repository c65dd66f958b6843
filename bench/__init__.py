"""Measures the job beside other programs: `python -m bench`. `README.md` describes how."""
