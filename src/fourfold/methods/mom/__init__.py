"""3D-MOM: one landscape photo with motion hints becomes an endlessly looping 4D landscape."""
