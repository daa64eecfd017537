"""Laws and stand-ins for whoever adds a method, a family or a file format: import it in your tests."""
