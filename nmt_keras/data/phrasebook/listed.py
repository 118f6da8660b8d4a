"""Sentences for a first look at a trained model; none of them is in any split."""

LISTED_SENTENCES: tuple[tuple[str, str], ...] = (
    ("I am eating.", "Je mange."),
    ("She is not sleeping.", "Elle ne dort pas."),
    ("Marie has bought some bread.", "Marie a acheté du pain."),
    ("The young man is reading a book.", "Le jeune homme lit un livre."),
    ("Pierre often speaks to Julie.", "Pierre parle souvent à Julie."),
    ("Yesterday, Paul sold the white car.", "Hier, Paul a vendu la voiture blanche."),
    ("My sister will arrive tomorrow.", "Ma sœur arrivera demain."),
    ("He is going to open the window.", "Il va ouvrir la fenêtre."),
    ("Is Pierre waiting for the actress?", "Est-ce que Pierre attend l'actrice?"),
    ("Anne, have you lost the keys?", "Anne, est-ce que tu as perdu les clés?"),
    ("The girl has already left.", "La fille est déjà partie."),
    ("Sophie is as tall as Antoine.", "Sophie est aussi grande qu'Antoine."),
    ("Louis shows the letter to Marie every day.", "Louis montre la lettre à Marie tous les jours."),
    ("I can read the newspapers.", "Je peux lire les journaux."),
    ("He never goes to the beach.", "Il ne va jamais à la plage."),
    ("There is a dog behind the house.", "Il y a un chien derrière la maison."),
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
        "The queen has visited the museum, and she is going to go to the theater.",
        "La reine a visité le musée, et elle va aller au théâtre.",
    ),
)
