"""Real sensors' files in, drifters and an altimeter withheld to judge by."""
