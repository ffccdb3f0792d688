"""The observing system experiment: real sensors' files in, drifters and an altimeter withheld to judge by."""
