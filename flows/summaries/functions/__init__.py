"""The functions of `reduce`: each computes one value from the values of a group's members."""
