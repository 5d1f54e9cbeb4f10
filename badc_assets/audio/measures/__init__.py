"""What can be told of a recording's technical quality while its samples pass by, second by second."""
