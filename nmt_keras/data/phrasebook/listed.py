"""Sentences for a first look at a trained model; none of them is in any split."""

LISTED_SENTENCES: tuple[tuple[str, str], ...] = (
    ("I am eating.", "Je mange."),
    ("She is not sleeping.", "Elle ne dort pas."),
    ("Marie has bought some bread.", "Marie a acheté du pain."),
    ("The old man is reading a book.", "Le vieil homme lit un livre."),
    ("We often sing with Julie.", "Nous chantons souvent avec Julie."),
    ("Yesterday, Paul sold the white car.", "Hier, Paul a vendu la voiture blanche."),
    ("My sisters will arrive tomorrow.", "Mes sœurs arriveront demain."),
    ("He is going to open the window.", "Il va ouvrir la fenêtre."),
    ("Is Pierre waiting for the actress?", "Est-ce que Pierre attend l'actrice?"),
    ("Anne, have you lost the keys?", "Anne, est-ce que tu as perdu les clés?"),
    ("The girls have left.", "Les filles sont parties."),
    ("Sophie is taller than Antoine.", "Sophie est plus grande qu'Antoine."),
    ("Louis gives the letter to her every day.", "Louis lui donne la lettre tous les jours."),
    ("I can read the newspapers.", "Je peux lire les journaux."),
    ("We never go to the beach.", "Nous n'allons jamais à la plage."),
    ("There is a cat under the table.", "Il y a un chat sous la table."),
    ("The woman who is singing is very happy.", "La femme qui chante est très heureuse."),
    ("Thomas knows that the boys have to work.", "Thomas sait que les garçons doivent travailler."),
    (
        "If Claire goes to the market, she will buy some water.",
        "Si Claire va au marché, elle achètera de l'eau.",
    ),
    (
        "The waiter was crying in the kitchen because his brother was sick.",
        "Le serveur pleurait dans la cuisine parce que son frère était malade.",
    ),
    (
        "The flowers that his mother bought yesterday are in the small garden.",
        "Les fleurs que sa mère a achetées hier sont dans le petit jardin.",
    ),
)
