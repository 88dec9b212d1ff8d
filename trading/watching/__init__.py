"""What a watch reacts to, as pure rules: due times, triggers of the plan in force, anomalies, progress of the day."""
