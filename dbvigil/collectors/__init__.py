"""What reads a monitored server, a collector for each part of it; `shipped` lists them in their order."""
