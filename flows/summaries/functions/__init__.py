"""The functions of `reduce`: each turns the values of a group's members into one value."""
