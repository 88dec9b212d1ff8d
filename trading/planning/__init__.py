"""A day's plan, from facts: hours, watch list, levels, ideas, risk windows, three plans. Pure."""
