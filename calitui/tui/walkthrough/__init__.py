"""The walkthrough screen: a packet moves along its line of stations, one step a key, and the text says why."""
