"""Word problems of the quickstart's evaluation set, and other wordings of twelve of them. Written for this project.

A rewording shares hardly a five-word sequence with its problem; only an embedding finds it.
"""

# (text, gold)
EVALUATION_PROBLEMS: tuple[tuple[str, int], ...] = (
    (
        "A bakery bakes 24 trays of rolls every morning and each tray holds 18 rolls. By noon 350 rolls have been "
        "sold. How many rolls are left on the shelves at noon?",
        82,
    ),
    (
        "A cyclist rides 15 kilometres every hour for 4 hours and then walks another 7 kilometres beside her bicycle. "
        "How many kilometres does she travel in total?",
        67,
    ),
    (
        "Three friends share the cost of renting a boat. The boat costs 126 euros and they also pay 24 euros for fuel. "
        "If everybody pays the same amount, how many euros does each friend pay?",
        50,
    ),
    (
        "A library owns 1250 novels and 840 comics. During the summer 375 novels are lent to readers. "
        "How many novels and comics remain in the library during the summer?",
        1715,
    ),
    (
        "A water tank holds 900 litres when it is full. A pump removes 35 litres every minute. "
        "How many litres of water are still in the full tank after the pump has run for 12 minutes?",
        480,
    ),
    (
        "A farmer plants 16 rows of apple trees with 22 trees in every row. A storm destroys 47 of the trees. "
        "How many apple trees does the farmer still have after the storm?",
        305,
    ),
    (
        "A school orders 28 boxes of pencils. Every box contains 12 pencils, and the pencils are divided equally "
        "among 14 classrooms. How many pencils does each classroom receive?",
        24,
    ),
    (
        "A train leaves the station with 240 passengers. At the first stop 65 people get off and 38 people get on. "
        "How many passengers are on the train after the first stop?",
        213,
    ),
    (
        "A painter needs 3 litres of paint for one wall. She has to paint 17 walls and the paint is sold in cans of "
        "5 litres. How many cans of paint must she buy at least?",
        11,
    ),
    (
        "A cinema has 18 rows with 25 seats in each row. On Friday evening 87 seats stay empty. "
        "How many people watch the film on Friday evening?",
        363,
    ),
    (
        "Lena reads 32 pages of her book on Monday and twice as many pages on Tuesday. The book has 250 pages. "
        "How many pages does she still have to read?",
        154,
    ),
    (
        "A gardener waters her roses every 4 days and her tulips every 6 days. Today she waters both kinds of flowers. "
        "After how many days will she water both on the same day again?",
        12,
    ),
    (
        "A box of chocolates weighs 480 grams together with its packaging. The packaging weighs 60 grams and there "
        "are 35 chocolates of equal weight inside. How many grams does one chocolate weigh?",
        12,
    ),
    (
        "A hotel has 9 floors with 14 rooms on every floor. Last night guests slept in 98 of the rooms. "
        "How many hotel rooms were free last night?",
        28,
    ),
    (
        "A rope that is 96 metres long is cut into 8 pieces of equal length, and one of these pieces is then cut "
        "into three equal parts. How many metres long is each of the three short parts?",
        4,
    ),
    (
        "A museum sells tickets for 9 euros to adults and for 5 euros to children. A group of 6 adults and 11 children "
        "visits the museum. How many euros does the whole group pay for the tickets?",
        109,
    ),
    (
        "A beekeeper collects 7 kilograms of honey from each of her 13 hives and fills all of it into jars of half a "
        "kilogram. How many jars of honey does she fill?",
        182,
    ),
    (
        "A snail climbs 5 metres up a wall during the day and slides back 2 metres during the night. "
        "After how many days does it first touch the top of a wall that is 14 metres high?",
        4,
    ),
    (
        "Omar saves 45 euros every month for a new computer that costs 720 euros. His grandmother gives him 90 "
        "euros as a present. For how many months does Omar have to save?",
        14,
    ),
    (
        "A printer needs 4 seconds for one page. It prints 5 copies of a report with 36 pages without a pause. "
        "For how many seconds does the printer work?",
        720,
    ),
    (
        "A rectangular playground is 45 metres long and 28 metres wide. Workers put a fence around the whole "
        "playground but leave a gate of 4 metres open. How many metres of fence do they need?",
        142,
    ),
    (
        "A recipe for 6 people uses 450 grams of flour. Nadia wants to cook the same dish for 10 people. "
        "How many grams of flour does Nadia need?",
        750,
    ),
    (
        "In a parking garage there are 52 vehicles, all of them cars with 4 wheels or motorcycles with 2 wheels. "
        "Together they have 184 wheels. How many motorcycles are in the garage?",
        12,
    ),
    (
        "A choir of 48 singers stands in rows of equal length. When every row gets two more singers, there are two "
        "rows fewer. How many rows were there at first?",
        8,
    ),
    (
        "A fisherman catches 17 trout, 23 perch and 9 pike. He gives a third of the pike to his neighbour and keeps "
        "all the other fish. How many fish does he keep?",
        46,
    ),
    (
        "The sum of three consecutive whole numbers is 141. What is the largest of these three numbers?",
        48,
    ),
    (
        "A candle is 30 centimetres tall and becomes 4 centimetres shorter in every hour in which it burns. "
        "How tall, in centimetres, is the candle after it has burned for 5 hours?",
        10,
    ),
    (
        "A theatre club sells 135 tickets on the first evening, 160 on the second and 95 on the third. Each ticket "
        "costs 8 euros. How much money, in euros, does the club earn on the three evenings?",
        3120,
    ),
    (
        "Two taps fill a basin. The first tap fills 12 litres in a minute and the second tap 18 litres in a minute. "
        "How many minutes do both taps together need for a basin of 450 litres?",
        15,
    ),
    (
        "Grandfather is four times as old as his granddaughter Mia. In ten years Mia will be 26 years old. "
        "How old is grandfather today?",
        64,
    ),
    (
        "A shepherd has 5 dogs and 8 times as many sheep as dogs. A quarter of the sheep are black. "
        "How many black sheep does the shepherd have?",
        10,
    ),
    (
        "A lift can carry 630 kilograms. Some crates that weigh 45 kilograms each have to be brought upstairs. "
        "How many crates can the lift carry at the same time?",
        14,
    ),
    (
        "A tailor needs 2 metres of cloth for a shirt and 3 metres for a dress. She has a bolt of 60 metres and "
        "sews 12 shirts. How many dresses can she still sew from what is left?",
        12,
    ),
    (
        "On a chess evening every one of 7 players plays exactly one game against each of the others. "
        "How many games are played on that evening?",
        21,
    ),
    (
        "A clock loses 3 minutes every hour. It is set to the right time at noon. "
        "By how many minutes is the clock slow at nine o'clock in the evening of the same day?",
        27,
    ),
    (
        "A mason lays 65 bricks in an hour. His apprentice lays 20 bricks fewer in the same time. "
        "How many bricks do both of them lay together in 6 hours?",
        660,
    ),
    (
        "A ferry carries at most 36 cars in one crossing. On a holiday 400 cars wait in the harbour. "
        "What is the smallest number of crossings after which every car has reached the other side?",
        12,
    ),
    (
        "A ribbon is coloured in a pattern of 2 red, 3 blue and 4 green stripes that repeats over and over. "
        "How many blue stripes are among the first 90 stripes of the ribbon?",
        30,
    ),
    (
        "A telescope costs 240 euros. During a sale the price is reduced by a quarter, and a student gets another "
        "15 euros off the reduced price. How many euros does the student pay?",
        165,
    ),
    (
        "A squirrel hides 14 nuts a day in October and 9 nuts a day in November. October has 31 days and November "
        "has 30 days. How many nuts does the squirrel hide in these two months?",
        704,
    ),
)

# (index of the problem, another wording of it)
REWORDINGS: tuple[tuple[int, str], ...] = (
    (
        1,
        "Riding her bike for 4 hours at 15 km per hour, a cyclist afterwards goes on foot for 7 km more, pushing "
        "the bicycle. What is the total distance she travels, in kilometres?",
    ),
    (
        3,
        "Of the 1250 novels and 840 comics that a library owns, 375 novels have been lent out to readers in "
        "summer. What number of novels and comics is still in the library then?",
    ),
    (
        4,
        "When full, a water tank contains 900 litres; each minute 35 litres are removed by a pump. What amount of "
        "water, in litres, remains in the tank once 12 minutes of pumping are over?",
    ),
    (
        5,
        "With 22 apple trees in each row, a farmer has planted 16 rows. After 47 trees were destroyed by a storm, "
        "how many of the farmer's apple trees are still standing?",
    ),
    (
        7,
        "With 240 passengers on board, a train departs; when it first stops, 38 people board and 65 people leave. "
        "What is the number of passengers on the train afterwards?",
    ),
    (
        9,
        "Each of the 18 rows of a cinema has 25 seats, of which 87 altogether remained empty on Friday evening. "
        "What was the number of people watching Friday evening's film?",
    ),
    (
        18,
        "A new computer costs 720 euros. Every month Omar puts aside 45 euros for it, and 90 euros are a present "
        "from his grandmother. How many months of saving does he need?",
    ),
    (
        26,
        "Burning makes a 30 centimetre candle 4 centimetres shorter each hour. After burning for 5 hours, what is "
        "the height of the candle in centimetres?",
    ),
    (
        38,
        "A sale takes a quarter off the price of a telescope of 240 euros, and a student gets the telescope for "
        "another 15 euros less. What price in euros does the student pay?",
    ),
    (
        24,
        "Having caught 9 pike, 17 trout and 23 perch, a fisherman keeps all his fish except a third of the pike, "
        "which his neighbour gets. What number of fish does the fisherman keep?",
    ),
    (
        28,
        "Into a basin of 450 litres run two taps, one with 12 litres a minute, the other with 18 litres a minute. "
        "In how many minutes is the basin filled by both taps together?",
    ),
    (
        16,
        "From each of 13 hives a beekeeper gets 7 kilograms of honey, and she fills jars that hold half a "
        "kilogram. What number of honey jars is filled by the beekeeper?",
    ),
)
