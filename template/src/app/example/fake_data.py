"""Word lists for the example data. Adding a word changes the data of every seed."""

FIRST = [
    *("Ada", "Amir", "Bela", "Chen", "Clara", "Dilek", "Edgar", "Elif", "Fatou", "Gita", "Hugo"),
    *("Ines", "Ivo", "Jonas", "Kaja", "Kofi", "Lena", "Luis", "Mara", "Mei", "Nadia", "Noor"),
    *("Olga", "Omar", "Pia", "Quentin", "Rosa", "Sami", "Tariq", "Uma", "Vera", "Yusuf", "Zoe"),
]
LAST = [
    *("Abara", "Almeida", "Bauer", "Berg", "Costa", "Dahl", "Duran", "Eriksen", "Farkas", "Gupta"),
    *("Haddad", "Horvat", "Ito", "Jansen", "Kaya", "Keller", "Kimura", "Lund", "Marek", "Mbeki"),
    *("Moreau", "Nowak", "Okafor", "Park", "Quispe", "Rossi", "Santos", "Silva", "Tanaka", "Weber"),
]
SHELVES = ["Books", "Coffee", "Garden", "Kitchen", "Lighting", "Music", "Paper", "Tea", "Tools"]
ADJECTIVES = [
    *("Blue", "Bright", "Calm", "Clever", "Early", "Folding", "Gentle", "Green", "Heavy", "Honest"),
    *("Light", "Little", "Long", "Lost", "Old", "Patient", "Plain", "Quiet", "Quick", "Round"),
    *("Second", "Silver", "Simple", "Slow", "Small", "Soft", "Steady", "Sturdy", "Warm", "Wooden"),
]
THINGS = [
    *("Basket", "Bell", "Bowl", "Brush", "Chair", "Clock", "Cup", "Drill", "Fork", "Jar", "Kettle"),
    *("Ladder", "Lamp", "Mug", "Notebook", "Pan", "Pen", "Plate", "Pot", "Rake", "Ruler", "Saw"),
    *("Scale", "Shelf", "Spade", "Spoon", "Stool", "Teapot", "Tray", "Vase", "Watering Can"),
]
TOPICS = [
    *("architecture", "baking", "birds", "chess", "cities", "coffee", "databases", "design"),
    *("gardening", "history", "hiking", "languages", "maps", "music", "networks", "numbers"),
    *("painting", "physics", "poetry", "queues", "rivers", "sailing", "testing", "trains"),
]
SENTENCES = [
    "It took longer than we had planned, and was worth each hour.",
    "Most of what I know about it I learned by getting it wrong.",
    "There are three ways to begin, and only one that I would repeat.",
    "Nobody had written it down, so here it is.",
    "The first attempt failed in a way that taught us a lot.",
    "What follows is a short account of a long afternoon.",
    "Ask me again in a year; today I am sure.",
    "We measured it twice, since we did not believe it the first time.",
    "The old way still works, and that is the trouble with it.",
    "Small steps, each of which can be taken back.",
    "I was told that it could not be done, and looked it up.",
    "The best part was to see others use it.",
]
