"""The Robotouille kitchens: simulator, planner, teacher, and what a base model learns beforehand."""
