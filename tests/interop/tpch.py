"""The schema and the 22 questions of the TPC-H benchmark, and data in its shape from a seed.

Data: the tables, keys and value ranges of TPC-H's specification, made by a small generator of our
own, so figures are comparable between the engines that are given the same data and with nothing
else. `scale` 1 is TPC-H's: 6,000,000 lines of orders."""
import datetime
import random

SCHEMA = {
    "region": "r_regionkey integer PRIMARY KEY, r_name varchar(25) NOT NULL, r_comment varchar(152)",
    "nation": "n_nationkey integer PRIMARY KEY, n_name varchar(25) NOT NULL, "
              "n_regionkey integer NOT NULL, n_comment varchar(152)",
    "supplier": "s_suppkey integer PRIMARY KEY, s_name varchar(25) NOT NULL, "
                "s_address varchar(40) NOT NULL, s_nationkey integer NOT NULL, "
                "s_phone varchar(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL, "
                "s_comment varchar(101) NOT NULL",
    "part": "p_partkey integer PRIMARY KEY, p_name varchar(55) NOT NULL, p_mfgr varchar(25) NOT NULL, "
            "p_brand varchar(10) NOT NULL, p_type varchar(25) NOT NULL, p_size integer NOT NULL, "
            "p_container varchar(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL, "
            "p_comment varchar(23) NOT NULL",
    "partsupp": "ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL, "
                "ps_availqty integer NOT NULL, ps_supplycost numeric(15,2) NOT NULL, "
                "ps_comment varchar(199) NOT NULL",
    "customer": "c_custkey integer PRIMARY KEY, c_name varchar(25) NOT NULL, "
                "c_address varchar(40) NOT NULL, c_nationkey integer NOT NULL, "
                "c_phone varchar(15) NOT NULL, c_acctbal numeric(15,2) NOT NULL, "
                "c_mktsegment varchar(10) NOT NULL, c_comment varchar(117) NOT NULL",
    "orders": "o_orderkey integer PRIMARY KEY, o_custkey integer NOT NULL, "
              "o_orderstatus varchar(1) NOT NULL, o_totalprice numeric(15,2) NOT NULL, "
              "o_orderdate date NOT NULL, o_orderpriority varchar(15) NOT NULL, "
              "o_clerk varchar(15) NOT NULL, o_shippriority integer NOT NULL, "
              "o_comment varchar(79) NOT NULL",
    "lineitem": "l_orderkey integer NOT NULL, l_partkey integer NOT NULL, l_suppkey integer NOT NULL, "
                "l_linenumber integer NOT NULL, l_quantity numeric(15,2) NOT NULL, "
                "l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL, "
                "l_tax numeric(15,2) NOT NULL, l_returnflag varchar(1) NOT NULL, "
                "l_linestatus varchar(1) NOT NULL, l_shipdate date NOT NULL, "
                "l_commitdate date NOT NULL, l_receiptdate date NOT NULL, "
                "l_shipinstruct varchar(25) NOT NULL, l_shipmode varchar(10) NOT NULL, "
                "l_comment varchar(44) NOT NULL",
}

REGIONS = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"]
NATIONS = [("ALGERIA", 0), ("ARGENTINA", 1), ("BRAZIL", 1), ("CANADA", 1), ("EGYPT", 4), ("ETHIOPIA", 0),
           ("FRANCE", 3), ("GERMANY", 3), ("INDIA", 2), ("INDONESIA", 2), ("IRAN", 4), ("IRAQ", 4),
           ("JAPAN", 2), ("JORDAN", 4), ("KENYA", 0), ("MOROCCO", 0), ("MOZAMBIQUE", 0), ("PERU", 1),
           ("CHINA", 2), ("ROMANIA", 3), ("SAUDI ARABIA", 4), ("VIETNAM", 2), ("RUSSIA", 3),
           ("UNITED KINGDOM", 3), ("UNITED STATES", 1)]
COLORS = ["almond", "azure", "blue", "brown", "chocolate", "cyan", "forest", "green", "ivory", "lemon",
          "lime", "olive", "peach", "plum", "red", "rose", "salmon", "snow", "violet", "white"]
TYPES = [f"{a} {b} {c}" for a in ("STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO")
         for b in ("ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED")
         for c in ("TIN", "NICKEL", "BRASS", "STEEL", "COPPER")]
CONTAINERS = [f"{a} {b}" for a in ("SM", "LG", "MED", "JUMBO", "WRAP")
              for b in ("CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM")]
SEGMENTS = ["AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD"]
PRIORITIES = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"]
MODES = ["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"]
INSTRUCTIONS = ["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]
WORDS = ["carefully", "final", "deposits", "sleep", "quickly", "special", "packages", "requests", "ironic",
         "accounts", "pending", "express", "furiously", "bold", "Customer", "Complaints", "unusual"]
FIRST, LAST = datetime.date(1992, 1, 1), datetime.date(1998, 8, 2)


def cents(number):
    return f"{number // 100}.{number % 100:02d}" if number >= 0 else "-" + cents(-number)


def rows(scale, seed=1):
    """Yields (table, row) with rows as lists of texts."""
    r = random.Random(seed)
    text = lambda: " ".join(r.choice(WORDS) for _ in range(r.randrange(2, 6)))  # noqa: E731
    phone = lambda nation: (f"{nation + 10}-{r.randrange(100, 1000)}-{r.randrange(100, 1000)}-"  # noqa: E731
                            f"{r.randrange(1000, 10000)}")
    suppliers, parts = max(10, int(10000 * scale)), max(50, int(200000 * scale))
    customers, orders = max(30, int(150000 * scale)), max(200, int(1500000 * scale))
    for i, name in enumerate(REGIONS):
        yield "region", [i, name, text()]
    for i, (name, region) in enumerate(NATIONS):
        yield "nation", [i, name, region, text()]
    for i in range(1, suppliers + 1):
        nation = r.randrange(25)
        yield "supplier", [i, f"Supplier#{i:09d}", text()[:40], nation, phone(nation),
                           cents(r.randrange(-99999, 999999)), text()]
    prices = [0]
    for i in range(1, parts + 1):
        maker = r.randrange(1, 6)
        price = 90000 + (i // 10) % 20001 + 100 * (i % 1000)
        prices.append(price)
        yield "part", [i, " ".join(r.sample(COLORS, 5)), f"Manufacturer#{maker}",
                       f"Brand#{maker}{r.randrange(1, 6)}", r.choice(TYPES), r.randrange(1, 51),
                       r.choice(CONTAINERS), cents(price), text()[:23]]
        for j in range(4):
            supplier = (i + j * (suppliers // 4 + (i - 1) // suppliers)) % suppliers + 1
            yield "partsupp", [i, supplier, r.randrange(1, 10000), cents(r.randrange(100, 100001)),
                               text()]
    for i in range(1, customers + 1):
        nation = r.randrange(25)
        yield "customer", [i, f"Customer#{i:09d}", text()[:40], nation, phone(nation),
                           cents(r.randrange(-99999, 999999)), r.choice(SEGMENTS), text()]
    for i in range(1, orders + 1):
        customer = r.randrange(1, customers + 1)
        while customer % 3 == 0:  # a third of the customers never ordered
            customer = r.randrange(1, customers + 1)
        day = FIRST + datetime.timedelta(days=r.randrange((LAST - FIRST).days - 151))
        total, states, lines = 0, set(), []
        for line in range(1, r.randrange(2, 9)):
            part = r.randrange(1, parts + 1)
            supplier = (part + r.randrange(4) * (suppliers // 4 + (part - 1) // suppliers)) % suppliers + 1
            quantity, discount, tax = r.randrange(1, 51), r.randrange(11), r.randrange(9)
            shipped = day + datetime.timedelta(days=r.randrange(1, 122))
            due = day + datetime.timedelta(days=r.randrange(30, 91))
            received = shipped + datetime.timedelta(days=r.randrange(1, 31))
            state = "O" if shipped > datetime.date(1995, 6, 17) else "F"
            flag = r.choice("RA") if received <= datetime.date(1995, 6, 17) else "N"
            price = quantity * prices[part]
            total += price * (100 + tax) * (100 - discount) // 10000
            states.add(state)
            lines.append([i, part, supplier, line, cents(quantity * 100), cents(price), cents(discount),
                          cents(tax), flag, state, shipped, due, received, r.choice(INSTRUCTIONS),
                          r.choice(MODES), text()[:44]])
        yield "orders", [i, customer, states.pop() if len(states) == 1 else "P", cents(total), day,
                         r.choice(PRIORITIES), f"Clerk#{r.randrange(1, max(2, int(1000 * scale))):09d}", 0,
                         text()[:79]]
        for line in lines:
            yield "lineitem", line


# The questions, with the parameters that the specification validates with.
QUERIES = {
    1: """SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, sum(l_extendedprice) AS price,
            sum(l_extendedprice * (1 - l_discount)) AS discounted,
            sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS charge, avg(l_quantity), avg(l_extendedprice),
            avg(l_discount), count(*)
          FROM lineitem WHERE l_shipdate <= date '1998-12-01' - interval '90 days'
          GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus""",
    2: """SELECT s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
          FROM part, supplier, partsupp, nation, region
          WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size = 15 AND p_type LIKE '%BRASS'
            AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey AND r_name = 'EUROPE'
            AND ps_supplycost = (SELECT min(ps_supplycost) FROM partsupp, supplier, nation, region
              WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND s_nationkey = n_nationkey
                AND n_regionkey = r_regionkey AND r_name = 'EUROPE')
          ORDER BY s_acctbal DESC, n_name, s_name, p_partkey LIMIT 100""",
    3: """SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, o_shippriority
          FROM customer, orders, lineitem
          WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey
            AND o_orderdate < date '1995-03-15' AND l_shipdate > date '1995-03-15'
          GROUP BY l_orderkey, o_orderdate, o_shippriority ORDER BY revenue DESC, o_orderdate, l_orderkey LIMIT 10""",
    4: """SELECT o_orderpriority, count(*) FROM orders
          WHERE o_orderdate >= date '1993-07-01' AND o_orderdate < date '1993-07-01' + interval '3 months'
            AND EXISTS (SELECT 1 FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate)
          GROUP BY o_orderpriority ORDER BY o_orderpriority""",
    5: """SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue
          FROM customer, orders, lineitem, supplier, nation, region
          WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey
            AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey
            AND r_name = 'ASIA' AND o_orderdate >= date '1994-01-01'
            AND o_orderdate < date '1994-01-01' + interval '1 year'
          GROUP BY n_name ORDER BY revenue DESC""",
    6: """SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem
          WHERE l_shipdate >= date '1994-01-01' AND l_shipdate < date '1994-01-01' + interval '1 year'
            AND l_discount BETWEEN 0.06 - 0.01 AND 0.06 + 0.01 AND l_quantity < 24""",
    7: """SELECT supp_nation, cust_nation, l_year, sum(volume) AS revenue
          FROM (SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation, extract(year FROM l_shipdate) AS l_year,
                  l_extendedprice * (1 - l_discount) AS volume
                FROM supplier, lineitem, orders, customer, nation n1, nation n2
                WHERE s_suppkey = l_suppkey AND o_orderkey = l_orderkey AND c_custkey = o_custkey
                  AND s_nationkey = n1.n_nationkey AND c_nationkey = n2.n_nationkey
                  AND ((n1.n_name = 'FRANCE' AND n2.n_name = 'GERMANY')
                    OR (n1.n_name = 'GERMANY' AND n2.n_name = 'FRANCE'))
                  AND l_shipdate BETWEEN date '1995-01-01' AND date '1996-12-31') AS shipping
          GROUP BY supp_nation, cust_nation, l_year ORDER BY supp_nation, cust_nation, l_year""",
    8: """SELECT o_year, sum(CASE WHEN nation = 'BRAZIL' THEN volume ELSE 0 END) / sum(volume) AS share
          FROM (SELECT extract(year FROM o_orderdate) AS o_year, l_extendedprice * (1 - l_discount) AS volume,
                  n2.n_name AS nation
                FROM part, supplier, lineitem, orders, customer, nation n1, nation n2, region
                WHERE p_partkey = l_partkey AND s_suppkey = l_suppkey AND l_orderkey = o_orderkey
                  AND o_custkey = c_custkey AND c_nationkey = n1.n_nationkey AND n1.n_regionkey = r_regionkey
                  AND r_name = 'AMERICA' AND s_nationkey = n2.n_nationkey
                  AND o_orderdate BETWEEN date '1995-01-01' AND date '1996-12-31'
                  AND p_type = 'ECONOMY ANODIZED STEEL') AS all_nations
          GROUP BY o_year ORDER BY o_year""",
    9: """SELECT nation, o_year, sum(amount) AS profit
          FROM (SELECT n_name AS nation, extract(year FROM o_orderdate) AS o_year,
                  l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount
                FROM part, supplier, lineitem, partsupp, orders, nation
                WHERE s_suppkey = l_suppkey AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey
                  AND p_partkey = l_partkey AND o_orderkey = l_orderkey AND s_nationkey = n_nationkey
                  AND p_name LIKE '%green%') AS profit
          GROUP BY nation, o_year ORDER BY nation, o_year DESC""",
    10: """SELECT c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) AS revenue, c_acctbal, n_name,
             c_address, c_phone, c_comment
           FROM customer, orders, lineitem, nation
           WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate >= date '1993-10-01'
             AND o_orderdate < date '1993-10-01' + interval '3 months' AND l_returnflag = 'R'
             AND c_nationkey = n_nationkey
           GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
           ORDER BY revenue DESC, c_custkey LIMIT 20""",
    11: """SELECT ps_partkey, sum(ps_supplycost * ps_availqty) AS value FROM partsupp, supplier, nation
           WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey AND n_name = 'GERMANY'
           GROUP BY ps_partkey
           HAVING sum(ps_supplycost * ps_availqty) > (SELECT sum(ps_supplycost * ps_availqty) * 0.0001
             FROM partsupp, supplier, nation
             WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey AND n_name = 'GERMANY')
           ORDER BY value DESC, ps_partkey""",
    12: """SELECT l_shipmode,
             sum(CASE WHEN o_orderpriority = '1-URGENT' OR o_orderpriority = '2-HIGH' THEN 1 ELSE 0 END) AS high,
             sum(CASE WHEN o_orderpriority <> '1-URGENT' AND o_orderpriority <> '2-HIGH' THEN 1 ELSE 0 END) AS low
           FROM orders, lineitem
           WHERE o_orderkey = l_orderkey AND l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate
             AND l_shipdate < l_commitdate AND l_receiptdate >= date '1994-01-01'
             AND l_receiptdate < date '1994-01-01' + interval '1 year'
           GROUP BY l_shipmode ORDER BY l_shipmode""",
    13: """SELECT c_count, count(*) AS custdist
           FROM (SELECT c_custkey, count(o_orderkey) FROM customer LEFT JOIN orders
                   ON c_custkey = o_custkey AND o_comment NOT LIKE '%special%requests%'
                 GROUP BY c_custkey) AS c_orders (c_custkey, c_count)
           GROUP BY c_count ORDER BY custdist DESC, c_count DESC""",
    14: """SELECT 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END)
             / sum(l_extendedprice * (1 - l_discount)) AS promo
           FROM lineitem, part
           WHERE l_partkey = p_partkey AND l_shipdate >= date '1995-09-01'
             AND l_shipdate < date '1995-09-01' + interval '1 month'""",
    15: """WITH revenue (supplier_no, total_revenue) AS (
             SELECT l_suppkey, sum(l_extendedprice * (1 - l_discount)) FROM lineitem
             WHERE l_shipdate >= date '1996-01-01' AND l_shipdate < date '1996-01-01' + interval '3 months'
             GROUP BY l_suppkey)
           SELECT s_suppkey, s_name, s_address, s_phone, total_revenue FROM supplier, revenue
           WHERE s_suppkey = supplier_no AND total_revenue = (SELECT max(total_revenue) FROM revenue)
           ORDER BY s_suppkey""",
    16: """SELECT p_brand, p_type, p_size, count(DISTINCT ps_suppkey) AS suppliers FROM partsupp, part
           WHERE p_partkey = ps_partkey AND p_brand <> 'Brand#45' AND p_type NOT LIKE 'MEDIUM POLISHED%'
             AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9)
             AND ps_suppkey NOT IN (SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%Customer%Complaints%')
           GROUP BY p_brand, p_type, p_size ORDER BY suppliers DESC, p_brand, p_type, p_size""",
    17: """SELECT sum(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem, part
           WHERE p_partkey = l_partkey AND p_brand = 'Brand#23' AND p_container = 'MED BOX'
             AND l_quantity < (SELECT 0.2 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey)""",
    18: """SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity)
           FROM customer, orders, lineitem
           WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 250)
             AND c_custkey = o_custkey AND o_orderkey = l_orderkey
           GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
           ORDER BY o_totalprice DESC, o_orderdate, o_orderkey LIMIT 100""",
    19: """SELECT sum(l_extendedprice * (1 - l_discount)) AS revenue FROM lineitem, part
           WHERE (p_partkey = l_partkey AND p_brand = 'Brand#12'
               AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG') AND l_quantity BETWEEN 1 AND 11
               AND p_size BETWEEN 1 AND 5 AND l_shipmode IN ('AIR', 'REG AIR') AND l_shipinstruct = 'DELIVER IN PERSON')
             OR (p_partkey = l_partkey AND p_brand = 'Brand#23'
               AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK') AND l_quantity BETWEEN 10 AND 20
               AND p_size BETWEEN 1 AND 10 AND l_shipmode IN ('AIR', 'REG AIR') AND l_shipinstruct = 'DELIVER IN PERSON')
             OR (p_partkey = l_partkey AND p_brand = 'Brand#34'
               AND p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG') AND l_quantity BETWEEN 20 AND 30
               AND p_size BETWEEN 1 AND 15 AND l_shipmode IN ('AIR', 'REG AIR') AND l_shipinstruct = 'DELIVER IN PERSON')""",
    20: """SELECT s_name, s_address FROM supplier, nation
           WHERE s_suppkey IN (SELECT ps_suppkey FROM partsupp
               WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE 'forest%')
                 AND ps_availqty > (SELECT 0.5 * sum(l_quantity) FROM lineitem
                   WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey AND l_shipdate >= date '1994-01-01'
                     AND l_shipdate < date '1994-01-01' + interval '1 year'))
             AND s_nationkey = n_nationkey AND n_name = 'CANADA'
           ORDER BY s_name""",
    21: """SELECT s_name, count(*) AS numwait FROM supplier, lineitem l1, orders, nation
           WHERE s_suppkey = l1.l_suppkey AND o_orderkey = l1.l_orderkey AND o_orderstatus = 'F'
             AND l1.l_receiptdate > l1.l_commitdate
             AND EXISTS (SELECT 1 FROM lineitem l2
               WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey)
             AND NOT EXISTS (SELECT 1 FROM lineitem l3
               WHERE l3.l_orderkey = l1.l_orderkey AND l3.l_suppkey <> l1.l_suppkey
                 AND l3.l_receiptdate > l3.l_commitdate)
             AND s_nationkey = n_nationkey AND n_name = 'SAUDI ARABIA'
           GROUP BY s_name ORDER BY numwait DESC, s_name LIMIT 100""",
    22: """SELECT cntrycode, count(*) AS numcust, sum(c_acctbal) AS totacctbal
           FROM (SELECT substring(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal FROM customer
                 WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
                   AND c_acctbal > (SELECT avg(c_acctbal) FROM customer WHERE c_acctbal > 0.00
                     AND substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17'))
                   AND NOT EXISTS (SELECT 1 FROM orders WHERE o_custkey = c_custkey)) AS custsale
           GROUP BY cntrycode ORDER BY cntrycode""",
}
