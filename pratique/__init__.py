"""The vocabulary and the engine of Pratique: bytes become a Subject, a Subject becomes a Decision."""
