"""Invented backers and the small sentences they write."""

from __future__ import annotations

import unicodedata

from ..model import Person

NAMES = """
Sanne Hoogeveen|Jeroen Terpstra|Femke Boersma|Daan Wijnberg|Lieke Schuurman|Ruben Zandstra|Maud Kerkhof|Thijmen Brouwer
Jasmijn Oldenhof|Sjoerd Hiemstra|Noortje van Beek|Casper Ruiter|Willemijn Tas|Hidde Bloemendaal|Marloes Dekkers
Pieter Nauta|Fenna Wiersma|Bas Koolhaas|Eva Rietveld|Koen Slagter|Tess Lammers|Wouter Beekhuis|Iris Groothuis
Niels Haverkamp|Roos Vermaat|Gijs Tolsma|Anouk Leeflang|Stijn Barendse|Hanneke Postma|Joost Riemersma
Lore Vandeputte|Bert Claeyssens|Annelien Desmet|Pieter-Jan Goossens|Katrien Lambrecht|Jef Moerman|Griet Vercauteren
Tuur Bogaert|Liesbeth Coppens|Seppe Dhondt|Marieke Baeten|Dries Huyghe|Nele Verstraete|Warre Peeraer|Ann-Sofie Maes
Kobe Rombouts|Veerle Stroobants|Matthias Van Acker|Hilde Wouters|Brecht Naessens
Elif Karaca|Mehmet Yıldırım|Zeynep Aksoy|Emre Tunçer|Ayşe Korkmaz|Burak Şimşek|Derya Erdoğmuş|Can Özdemir|Melike Sarı
Kerem Uçar|Nur Taşkın|Hakan Bulut
Youssef Benhaddou|Salma Idrissi|Karim Ouazzani|Imane Chafik|Bilal Amrani|Naima Tahiri|Ilyas Bouzid|Loubna Haddioui
Omar Zerouali|Hanan Mekki|Anas Lahlou|Sofia Belkacem
Katarzyna Mazur|Piotr Zieliński|Magda Kowalczyk|Tomasz Wójcik|Ewa Sikora|Marek Gajewski|Joanna Pawlak|Łukasz Dudek
Zofia Jabłońska|Paweł Krawiec
Harriet Linwood|Oliver Pemberton|Gemma Thackeray|Callum Redfern|Imogen Ashdown|Rhys Maddocks|Bethan Prior
Alfie Colbourne|Niamh Gallagher|Dougal Ferrie
Anke Brinkmann|Jonas Reuter|Friederike Lindner|Matthis Ahlers|Svenja Petersen|Till Hagedorn|Birgit Osterkamp
Lennart Voss
Ravi Soerjadi|Puck Ramlal|Shanaya Jagroep|Winston Pinas|Melvin Tjon|Chantal Martina|Rodney Kirindongo
Linh Tran|Minh Duong|Mei-Lan Chow|Amara Okafor|Kofi Mensah|Abebe Tadesse|Selam Berhane
Giulia Ferrante|Matteo Colombi|Inês Carvalho|Tiago Moura|Lucía Herranz|Camille Rousselet|Théo Marchandise
Dana Popescu|Milan Horvat|Oksana Shevchuk|Andrii Kovalenko|Yara Haddad|Samir Nassar
"""

DOMAINS = ("example.org", "example.com", "example.net")

# Letters that do not fall apart into a plain letter and a sign.
_PLAIN = str.maketrans({"\u0131": "i", "ł": "l", "Ł": "L", "ø": "o", "ß": "ss"})


def plain(text: str) -> str:
    """Lower-case letters without signs, for addresses."""
    parts = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return "".join(letter for letter in parts.lower() if letter.isascii() and letter.isalnum())


def _person(number: int, name: str) -> Person:
    first, last = name.split(" ", 1)
    local = f"{plain(first)}.{plain(last)}"
    return Person(first, last, f"{plain(first)}{plain(last)}"[:24], f"{local}@{DOMAINS[number % 3]}")


BACKERS: tuple[Person, ...] = tuple(
    _person(number, name.strip()) for number, name in enumerate(NAMES.strip().replace("\n", "|").split("|"))
)

REASONS: tuple[str, ...] = (
    "I was one of the open windows.",
    "My sister sent me the link and she is usually right.",
    "I have wanted this in my street for years.",
    "They answered my question within the hour.",
    "The last one arrived on the day they promised.",
    "For my father, who would have been first in line.",
    "I like people who say what could go wrong.",
    "A colleague brought the demo to lunch.",
    "Because somebody has to go to those meetings.",
    "We play every Thursday and need something new.",
    "I grew up two doors from there.",
    "The drawing made me stop, the story made me stay.",
    "It is small, and they know exactly what it costs.",
    "I could not come to help, so this is my share of the work.",
    "Noticed the poster at the bakery.",
    "My class tested it and has asked about it ever since.",
    "I want to tell people I was there early.",
    "There should be more soup at concerts.",
)

CANCEL_REASONS: tuple[str, ...] = (
    "I chose the wrong reward and will pledge again.",
    "My plans changed and I cannot be there on the date.",
    "A friend and I both pledged for the same household.",
    "Money is tighter this month than I thought.",
    "The delivery month is too late for the birthday it was meant for.",
    "I would rather give to the next one, closer to home.",
)
