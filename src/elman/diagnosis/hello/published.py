"""The numbers that the worked example is given, and those printed for it elsewhere, as printed.

Only the parameters are ever computed with. Everything else here stands beside a computed number, never in its place.
Sources: the tutorial that introduced this network (`TUTORIAL`: seven steps, its parameters), and a computation beside
this one (the whole word, its gradients, training), which was checked by central differences.
"""

TUTORIAL = "Introduction to Recurrent Neural Networks, Analytics Vidhya, 2017"
ADDRESS = "analyticsvidhya.com/blog/2017/12/introduction-to-recurrent-neural-networks"

ALPHABET = "helo"
WORD = "hello"

W_XH = (
    (0.287027, 0.84606, 0.572392, 0.486813),
    (0.902874, 0.871522, 0.691079, 0.18998),
    (0.537524, 0.09224, 0.558159, 0.491528),
)
W_HH = 0.427043
B = 0.567001
W_HY = (
    (0.37168, 0.974829459, 0.830034886),
    (0.39141, 0.282585823, 0.659835709),
    (0.64985, 0.09821557, 0.334287084),
    (0.91266, 0.32581642, 0.144630018),
)

# The seven steps: the tutorial's own digits.
W_XH_X_H = "0.287027 0.902874 0.537524"
BIAS_ALONE = "0.567001 0.567001 0.567001"
SUM_AFTER_H = "0.854028 1.469875 1.104525"
H_AFTER_H = "0.693168 0.899554 0.802118"
RECURRENT_PART_AT_E = "0.863014 0.951149 0.909540"
W_XH_X_E = "0.84606 0.871522 0.09224"
SUM_AFTER_E = "1.709074 1.822671 1.001780"
H_AFTER_E = "0.936534 0.949104 0.762341"
Y_AFTER_E = "1.90607732 1.13779113 0.95666016 1.27422602"
P_AFTER_E = "0.41974 0.19468 0.16242 0.22314"

# The whole word, one line for each time step.
STATES = """
    .693167937 .899553606 .802118530
    .936533773 .949104070 .762340741
    .912008253 .930672131 .895833626
    .910229262 .929610819 .906533508"""
PROBABILITIES = """
    .432318764 .205122883 .160095744 .202462609
    .419747157 .194682362 .162429095 .223141387
    .433074809 .198776763 .158325992 .209822436
    .434195881 .199067938 .157964843 .208771338"""
LOSSES = "1.584146052 1.817513713 1.843099128 1.566515704"
ERROR = "6.811274597"

# Gradients of the error by back-propagation through time.
DE_DW_HH = "0.235705909"
DE_DB = "0.388120535"
DE_DW_XH = """
    .068650718 -.014602947 -.089509632 0
    .057035403 .047809949 .096176624 0
    -.013463654 .105594850 .130429223 0"""
DE_DW_HY = """
    1.482962491 1.593961482 1.448337342
    -.006173215 -.160209053 -.130638705
    -1.297269622 -1.287403966 -1.120898116
    -.179519654 -.146348463 -.196800521"""

# With the loss at the last letter only: |dE/dh_t| for t = 1, 2, 3, 4, and the first over the last.
GRADIENT_NORMS = "0.00050585 0.0034984 0.045119 0.62114"
GRADIENT_SHRINKS = "1228"

# Plain gradient descent on the error from the given weights, scalar form.
RATE = 0.1
UPDATES = 5000
ERROR_AFTER = {1: "5.796", 10: "4.275", 100: "0.7222", 1000: "0.02078"}
SPELLS_ELLO_AT = "74"
LAST_LETTER_RIGHT_FROM = "3"
FLOOR_WITHOUT_MEMORY = "1.386294"
ERROR_WITHOUT_MEMORY = "1.38808"
