"""What is wrong with a golden dataset: one check a file, findings with a suggestion, decisions in a CSV."""
