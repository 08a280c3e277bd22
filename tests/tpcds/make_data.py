#!/usr/bin/env python3
"""A small TPC-DS database, the same in every run: make_data.py FILE.

Not dsdgen's data: some thousand rows a channel whose values repeat often enough that every query's
parameters find something. Money is a multiple of 1/1024, so that sums and averages are exact
whatever the order of adding, and the two engines' answers can be compared row by row. As in
dsdgen's data some foreign keys are NULL, items and stores have two revisions under one id, popular
items sell on few days, and what a customer returned to a store is often ordered again by catalog.
"""
import datetime
import os
import random
import sqlite3
import sys

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema.sql")
FIRST_DAY, LAST_DAY = datetime.date(1998, 1, 1), datetime.date(2003, 6, 30)
FIRST_DATE_SK = 2450815  # dsdgen's key of 1998-01-01
SALE_DAYS = (datetime.date(2003, 1, 1) - FIRST_DAY).days
HOT_DAYS = [int(SALE_DAYS * k / 36) + 5 for k in range(36)]
CUSTOMERS, ADDRESSES, ITEMS, STORES = 200, 90, 120, 8
TICKETS, CATALOG_ORDERS, WEB_ORDERS = 800, 480, 480

CLASSES = {
    "Books": ("reference", "self-help", "computers", "travel"),
    "Children": ("infants", "toddlers", "newborn", "school-uniforms"),
    "Electronics": ("personal", "portable", "stereo", "wireless"),
    "Home": ("accent", "bedding", "kids", "mattresses"),
    "Jewelry": ("bracelets", "rings", "estate", "pendants"),
    "Men": ("accessories", "pants", "shirts", "sports-apparel"),
    "Music": ("classical", "country", "pop", "rock"),
    "Shoes": ("athletic", "kids", "mens", "womens"),
    "Sports": ("football", "baseball", "sailing", "pools"),
    "Women": ("dresses", "fragrances", "maternity", "swimwear"),
}
SYLLABLES = ("scholar", "import", "export", "corp", "edu pack")
COLORS = ("powder", "khaki", "brown", "honeydew", "floral", "deep", "light", "cornflower",
          "midnight", "snow", "cyan", "papaya", "orange", "frosted", "forest", "ghost")
UNITS = ("Ounce", "Oz", "Bunch", "Ton", "N/A", "Dozen", "Box", "Pound")
SIZES = ("medium", "extra large", "N/A", "small", "petite", "large")
PLACES = (  # zip, county, state, offset from Greenwich
    ("35709", "Williamson County", "TN", -5.0), ("31904", "Walker County", "GA", -5.0),
    ("38579", "Ziebach County", "SD", -6.0), ("33951", "Fairfield County", "OH", -5.0),
    ("38059", "Williamson County", "TN", -5.0), ("35124", "Barrow County", "AL", -6.0),
    ("85669", "Daviess County", "IN", -5.0), ("86197", "Luce County", "MI", -5.0),
    ("88274", "Richland County", "OH", -5.0), ("83405", "Bronx County", "NY", -5.0),
    ("86475", "Orange County", "CA", -7.0), ("85392", "Huron County", "MI", -5.0))
CITIES = ("Fairview", "Midway", "Oak Grove", "Five Points", "Pleasant Hill", "Centerville")
FIRST_NAMES = ("James", "Mary", "Robert", "Linda", "Maria", "David", "Susan", "Karen", "Jose")
LAST_NAMES = ("Smith", "Brown", "Moore", "Lopez", "Hill", "Ward", "Ross", "Diaz", "Wood", "Gray")
EDUCATION = ("Primary", "Secondary", "College", "2 yr Degree", "4 yr Degree", "Advanced Degree",
             "Unknown")
BUY_POTENTIAL = (">10000", "5001-10000", "1001-5000", "501-1000", "0-500", "Unknown")
STORE_NAMES = ("ese", "ought", "able", "anti", "cally", "ation", "eing", "bar")

chance = random.Random(20240607).random


def below(count):
    return int(chance() * count)


def pick(values):
    return values[below(len(values))]


def key(count):
    """A foreign key to 1 .. count; rarely NULL."""
    return None if chance() < 0.03 else 1 + below(count)


def business_id(number):
    digits = ("ABCDEFGHIJKLMNOP"[(number >> shift) & 15] for shift in (0, 4, 8))
    return "AAAAAAAA" + "".join(digits) + "AAAAA"


def write(db, table, rows):
    """Rows are dicts; columns that none names are NULL."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    places = ", ".join("?" * len(columns))
    db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
                   [[row.get(name) for name in columns] for row in rows])


# ---- the calendar --------------------------------------------------------------------------------

def date_sk(day_index):
    return FIRST_DATE_SK + day_index


def calendar():
    """date_dim; months count from 1900, weeks end on Saturday."""
    for index in range((LAST_DAY - FIRST_DAY).days + 1):
        day = FIRST_DAY + datetime.timedelta(index)
        dow, quarter = day.isoweekday() % 7, (day.month + 2) // 3
        week = (index + 4) // 7 + 5113
        quarters = (day.year - 1900) * 4 + quarter - 1
        weekend = "Y" if dow in (0, 6) else "N"
        yield {"d_date_sk": date_sk(index), "d_date_id": business_id(index), "d_date": str(day),
               "d_month_seq": (day.year - 1900) * 12 + day.month - 1, "d_week_seq": week,
               "d_quarter_seq": quarters, "d_year": day.year, "d_dow": dow, "d_moy": day.month,
               "d_dom": day.day, "d_qoy": quarter, "d_fy_year": day.year,
               "d_fy_quarter_seq": quarters, "d_fy_week_seq": week,
               "d_day_name": day.strftime("%A"), "d_quarter_name": f"{day.year}Q{quarter}",
               "d_holiday": "N", "d_weekend": weekend, "d_following_holiday": "N",
               "d_same_day_ly": date_sk(index) - 365, "d_same_day_lq": date_sk(index) - 91}


def clock():
    """time_dim, a row a minute; keys are seconds."""
    for minute in range(24 * 60):
        hour = minute // 60
        meal = {6: "breakfast", 7: "breakfast", 8: "breakfast", 11: "lunch", 12: "lunch",
                13: "lunch", 17: "dinner", 18: "dinner", 19: "dinner", 20: "dinner"}.get(hour)
        yield {"t_time_sk": minute * 60, "t_time_id": business_id(minute), "t_time": minute * 60,
               "t_hour": hour, "t_minute": minute % 60, "t_second": 0,
               "t_am_pm": "AM" if hour < 12 else "PM",
               "t_shift": ("third", "first", "second")[hour // 8],
               "t_sub_shift": ("night", "morning", "afternoon", "evening")[hour // 6],
               "t_meal_time": meal}


def time_of_sale():
    return (8 * 60 + below(13 * 60)) * 60


def day_of_sale():
    return pick(HOT_DAYS) if chance() < 0.4 else below(SALE_DAYS)


# ---- who, where, what ----------------------------------------------------------------------------

def address(prefix, place):
    zip_code, county, state, offset = place
    return {prefix + "street_number": str(1 + below(999)), prefix + "street_name": pick(LAST_NAMES),
            prefix + "street_type": pick(("Street", "Ave", "Lane", "Way")),
            prefix + "suite_number": f"Suite {below(50)}", prefix + "city": pick(CITIES),
            prefix + "county": county, prefix + "state": state, prefix + "zip": zip_code,
            prefix + "country": "United States", prefix + "gmt_offset": offset}


def people():
    yield "income_band", [
        {"ib_income_band_sk": k, "ib_lower_bound": (k - 1) * 10000 + 1,
         "ib_upper_bound": k * 10000} for k in range(1, 21)]
    yield "household_demographics", [
        {"hd_demo_sk": k, "hd_income_band_sk": 1 + below(20),
         "hd_buy_potential": BUY_POTENTIAL[k % 6], "hd_dep_count": below(7),
         "hd_vehicle_count": below(6) - 1} for k in range(1, 145)]
    yield "customer_demographics", [
        {"cd_demo_sk": k, "cd_gender": "MF"[k % 2], "cd_marital_status": "MSDWU"[k % 5],
         "cd_education_status": EDUCATION[k % 7], "cd_purchase_estimate": 500 * (1 + below(4)),
         "cd_credit_rating": pick(("Good", "Low Risk", "High Risk", "Unknown")),
         "cd_dep_count": below(4), "cd_dep_employed_count": below(4),
         "cd_dep_college_count": below(4)} for k in range(1, 141)]
    yield "customer_address", [
        {"ca_address_sk": k, "ca_address_id": business_id(k),
         "ca_location_type": pick(("apartment", "condo", "single family", None)),
         **address("ca_", PLACES[k % len(PLACES)])} for k in range(1, ADDRESSES + 1)]
    yield "customer", [
        {"c_customer_sk": k, "c_customer_id": business_id(k), "c_current_cdemo_sk": key(140),
         "c_current_hdemo_sk": key(144), "c_current_addr_sk": 1 + below(ADDRESSES),
         "c_first_shipto_date_sk": date_sk(below(SALE_DAYS)),
         "c_first_sales_date_sk": date_sk(below(SALE_DAYS)),
         "c_salutation": pick(("Mr.", "Mrs.", "Dr.", "Ms.")), "c_first_name": pick(FIRST_NAMES),
         "c_last_name": pick(LAST_NAMES), "c_preferred_cust_flag": pick(("Y", "Y", "N", None)),
         "c_birth_day": 1 + below(28), "c_birth_month": 1 + below(12),
         "c_birth_year": 1930 + below(60),
         "c_birth_country": pick(("CHILE", "JAPAN", "UNITED STATES", "FIJI", None)),
         "c_login": None, "c_email_address": f"customer{k}@example.org",
         "c_last_review_date": None} for k in range(1, CUSTOMERS + 1)]


def items():
    categories = list(CLASSES)
    for k in range(1, ITEMS + 1):
        number = (k - 1) // 2  # two revisions of an item
        category, group = number % 10, number // 10 % 4
        cost = 0.25 * (1 + below(300))
        yield {"i_item_sk": k, "i_item_id": business_id(number),
               "i_rec_start_date": "1997-10-27" if k % 2 else "2000-10-27",
               "i_rec_end_date": "2000-10-26" if k % 2 else None,
               "i_item_desc": f"Certain parts of {categories[category]} number {k} that last",
               "i_current_price": cost + 0.25 * below(120), "i_wholesale_cost": cost,
               "i_brand_id": 1000000 * (category + 1) + 1000 * group + k % 3,
               "i_brand": f"{SYLLABLES[group]}amalgamalg #{k % 3 + 1}", "i_class_id": group + 1,
               "i_class": CLASSES[categories[category]][group], "i_category_id": category + 1,
               "i_category": categories[category], "i_manufact_id": 1 + number % 17,
               "i_manufact": f"manufact{1 + number % 17}", "i_size": pick(SIZES),
               "i_formulation": f"{below(10 ** 8):08}", "i_color": pick(COLORS),
               "i_units": pick(UNITS), "i_container": "Unknown", "i_manager_id": 1 + number % 9,
               "i_product_name": f"product{k:04}"}


def places():
    yield "store", [
        {"s_store_sk": k, "s_store_id": business_id((k - 1) // 2),
         "s_store_name": STORE_NAMES[k - 1],
         "s_number_employees": 200 + 10 * k, "s_floor_space": 5000000 + 100000 * k,
         "s_hours": "8AM-8PM", "s_market_id": (2, 5, 8)[k % 3], "s_company_id": 1,
         "s_company_name": "Unknown", "s_tax_precentage": 0.0625,
         **address("s_", PLACES[k - 1])} for k in range(1, STORES + 1)]
    yield "call_center", [
        {"cc_call_center_sk": k, "cc_call_center_id": business_id(k), "cc_name": f"center {k}",
         "cc_class": "medium", "cc_manager": pick(LAST_NAMES), "cc_mkt_id": k,
         **address("cc_", PLACES[(k % 2) * 4])} for k in range(1, 5)]
    yield "web_site", [
        {"web_site_sk": k, "web_site_id": business_id(k), "web_name": f"site_{(k - 1) // 2}",
         "web_company_id": k % 2 + 1, "web_company_name": ("pri", "able")[k % 2],
         **address("web_", PLACES[k])} for k in range(1, 5)]
    yield "warehouse", [
        {"w_warehouse_sk": k, "w_warehouse_id": business_id(k),
         "w_warehouse_name": ("Conventional childr", "Important issues liv", None)[k - 1],
         "w_warehouse_sq_ft": 200000 * k, **address("w_", PLACES[k])} for k in range(1, 4)]
    yield "catalog_page", [
        {"cp_catalog_page_sk": k, "cp_catalog_page_id": business_id(k),
         "cp_department": "DEPARTMENT", "cp_catalog_number": k // 10,
         "cp_catalog_page_number": k % 10, "cp_type": "quarterly"} for k in range(1, 31)]
    yield "web_page", [
        {"wp_web_page_sk": k, "wp_web_page_id": business_id(k), "wp_autogen_flag": "N",
         "wp_url": "http://www.foo.com", "wp_type": pick(("order", "feedback", "general")),
         "wp_char_count": 4800 + 50 * k, "wp_link_count": k} for k in range(1, 13)]


def small_tables():
    channels = ("dmail", "email", "catalog", "tv", "radio", "press", "event", "demo")
    yield "promotion", [
        {"p_promo_sk": k, "p_promo_id": business_id(k), "p_item_sk": key(ITEMS), "p_cost": 1000.0,
         "p_promo_name": pick(("able", "ese", "anti")),
         **{"p_channel_" + channel: pick("NNY") for channel in channels}} for k in range(1, 13)]
    yield "reason", [
        {"r_reason_sk": k, "r_reason_id": business_id(k), "r_reason_desc": f"reason {k}"}
        for k in range(1, 11)]
    yield "ship_mode", [
        {"sm_ship_mode_sk": k, "sm_ship_mode_id": business_id(k),
         "sm_type": ("EXPRESS", "OVERNIGHT", "REGULAR", "TWO DAY")[k % 4],
         "sm_code": ("AIR", "SURFACE", "SEA")[k % 3],
         "sm_carrier": ("DHL", "BARIAN", "UPS", "FEDEX")[k // 2 % 4]} for k in range(1, 9)]


def inventory():
    """Weekly stock from 2000 to March 2001, most of it low, so that it varies a lot."""
    start = (datetime.date(2000, 1, 3) - FIRST_DAY).days
    for week in range(65):
        for item in range(1, ITEMS + 1):
            for warehouse in (1, 2, 3):
                if chance() < 0.4:
                    yield {"inv_date_sk": date_sk(start + 7 * week), "inv_item_sk": item,
                           "inv_warehouse_sk": warehouse,
                           "inv_quantity_on_hand": None if chance() < 0.02
                           else int(600 * chance() ** 4)}


# ---- sales and returns ---------------------------------------------------------------------------

def money(prefix, shipped):
    """The price columns of a sale."""
    quantity = 1 + below(100)
    cost = 0.25 * (1 + below(320))
    listed = cost * (4 + below(6)) / 4
    price = listed * below(9) / 8
    sold, discount = price * quantity, (listed - price) * quantity
    coupon = sold * below(5) / 8 if chance() < 0.2 else 0.0
    paid = sold - coupon
    tax, shipping = paid / 16, listed * quantity / 8 * below(4)
    row = {"quantity": quantity, "wholesale_cost": cost, "list_price": listed,
           "sales_price": price, "ext_discount_amt": discount, "ext_sales_price": sold,
           "ext_wholesale_cost": cost * quantity, "ext_list_price": listed * quantity,
           "ext_tax": tax, "coupon_amt": coupon, "net_paid": paid,
           "net_paid_inc_tax": paid + tax, "net_profit": paid - cost * quantity}
    if shipped:
        row |= {"ext_ship_cost": shipping, "net_paid_inc_ship": paid + shipping,
                "net_paid_inc_ship_tax": paid + shipping + tax}
    return {prefix + name: value for name, value in row.items()}


def refund(prefix, sale, sale_prefix, amount="return_amt", credit="store_credit"):
    """The price columns of a return of some of a sale."""
    quantity = 1 + below(sale[sale_prefix + "quantity"])
    back = sale[sale_prefix + "sales_price"] * quantity
    cash = back * below(9) / 8
    row = {"return_quantity": quantity, amount: back, "return_tax": back / 16,
           "return_amt_inc_tax": back + back / 16, "fee": 0.5 * (1 + below(100)),
           "return_ship_cost": back / 8, "refunded_cash": cash,
           "reversed_charge": (back - cash) / 2, credit: (back - cash) / 2,
           "net_loss": back / 8 + 0.5 * below(200)}
    return {prefix + name: value for name, value in row.items()}


def basket(size):
    """Different items, the first ones more popular."""
    return sorted({1 + int(ITEMS * chance() ** 2) for _ in range(size)})


def household(customer):
    """What a customer's sales are booked on: demographics and an address, often their own."""
    return {"cdemo_sk": customer["c_current_cdemo_sk"] if chance() < 0.5 else key(140),
            "hdemo_sk": customer["c_current_hdemo_sk"] if chance() < 0.5 else key(144),
            "addr_sk": customer["c_current_addr_sk"] if chance() < 0.6 else key(ADDRESSES)}


def store_tickets(customers):
    for ticket in range(1, TICKETS + 1):
        customer, day, store = pick(customers), day_of_sale(), key(STORES)
        known = chance() > 0.02
        common = {"ss_sold_date_sk": date_sk(day) if chance() > 0.02 else None,
                  "ss_sold_time_sk": time_of_sale(), "ss_store_sk": store,
                  "ss_customer_sk": customer["c_customer_sk"] if known else None,
                  "ss_ticket_number": ticket,
                  **{"ss_" + name: value for name, value in household(customer).items()}}
        for item in basket(1 + below(20)):
            yield day, {**common, "ss_item_sk": item, "ss_promo_sk": key(12), **money("ss_", False)}


def store_return(day, sale):
    same = {"sr_" + name: sale["ss_" + name] for name in (
        "item_sk", "customer_sk", "cdemo_sk", "hdemo_sk", "addr_sk", "store_sk", "ticket_number")}
    return {**same, "sr_returned_date_sk": date_sk(day), "sr_return_time_sk": time_of_sale(),
            "sr_reason_sk": key(10), **refund("sr_", sale, "ss_")}


def order(prefix, number, customers, customer, day, size, extra):
    """The rows of one order by catalog or web; a third is a present for someone else."""
    receiver = pick(customers) if chance() < 0.33 else customer
    common = {"sold_date_sk": date_sk(day) if chance() > 0.02 else None,
              "sold_time_sk": time_of_sale(), "order_number": number,
              "bill_customer_sk": customer["c_customer_sk"],
              "ship_customer_sk": receiver["c_customer_sk"] if chance() > 0.03 else None,
              **{"bill_" + name: value for name, value in household(customer).items()},
              **{"ship_" + name: value for name, value in household(receiver).items()}}
    for item in basket(size):
        row = {**common, "item_sk": item, "ship_date_sk": date_sk(day + 1 + below(140)),
               "ship_mode_sk": key(8), "warehouse_sk": key(3), "promo_sk": key(12),
               **{name: key(count) for name, count in extra.items()}}
        yield day, {**{prefix + name: value for name, value in row.items()}, **money(prefix, True)}


def order_return(day, sale, sale_prefix, prefix, shared, amount, credit):
    """A return; half of them by the one who bought, with the same demographics."""
    same = {name: sale[sale_prefix + name] for name in shared}
    payer = {"customer_sk": sale[sale_prefix + "bill_customer_sk"],
             "cdemo_sk": sale[sale_prefix + "bill_cdemo_sk"],
             "hdemo_sk": sale[sale_prefix + "bill_hdemo_sk"],
             "addr_sk": sale[sale_prefix + "bill_addr_sk"]}
    sender = payer if chance() < 0.6 else {
        name: sale[sale_prefix + "ship_" + name] for name in payer}
    row = {**same, "returned_date_sk": date_sk(day + 2 + below(120)),
           "returned_time_sk": time_of_sale(), "reason_sk": key(10),
           **{"refunded_" + name: value for name, value in payer.items()},
           **{"returning_" + name: value for name, value in sender.items()}}
    return {**{prefix + name: value for name, value in row.items()},
            **refund(prefix, sale, sale_prefix, amount, credit)}


def orders(prefix, count, customers, visits, extra, again=()):
    """`visits` are the (day, customer) of store tickets: some order on the same day. `again` are
    (day, customer, item): returned to a store, and ordered by catalog later."""
    rows = []
    for number in range(1, count + 1):
        day, customer = pick(visits) if chance() < 0.2 else (day_of_sale(), pick(customers))
        rows += order(prefix, number, customers, customer, day, 1 + below(12), extra)
    for number, (day, customer, item) in enumerate(again, count + 1):
        rows += [(when, {**row, prefix + "item_sk": item})
                 for when, row in order(prefix, number, customers, customer, day, 1, extra)]
    return rows


def sales(customers):
    store = list(store_tickets(customers))
    store_returns, again = [], []
    for day, sale in store:
        if chance() < 0.2:
            returned = day + 1 + below(90)
            store_returns.append(store_return(returned, sale))
            if sale["ss_customer_sk"] and chance() < 0.5 and returned + 60 < SALE_DAYS:
                again.append((returned + below(60), customers[sale["ss_customer_sk"] - 1],
                              sale["ss_item_sk"]))
    visits = [(day, customers[sale["ss_customer_sk"] - 1])
              for day, sale in store if sale["ss_customer_sk"]]
    catalog = orders("cs_", CATALOG_ORDERS, customers, visits,
                     {"call_center_sk": 4, "catalog_page_sk": 30}, again)
    web = orders("ws_", WEB_ORDERS, customers, visits, {"web_page_sk": 12, "web_site_sk": 4})
    yield "store_sales", [sale for _, sale in store]
    yield "store_returns", store_returns
    yield "catalog_sales", [sale for _, sale in catalog]
    yield "catalog_returns", [
        order_return(day, sale, "cs_", "cr_", ("item_sk", "order_number", "call_center_sk",
                     "catalog_page_sk", "ship_mode_sk", "warehouse_sk"),
                     "return_amount", "store_credit")
        for day, sale in catalog if chance() < 0.2]
    yield "web_sales", [sale for _, sale in web]
    yield "web_returns", [
        order_return(day, sale, "ws_", "wr_", ("item_sk", "order_number", "web_page_sk"),
                     "return_amt", "account_credit")
        for day, sale in web if chance() < 0.2]


def make(path):
    db = sqlite3.connect(path)
    with open(SCHEMA, encoding="utf-8") as file:
        db.executescript(file.read())
    write(db, "date_dim", list(calendar()))
    write(db, "time_dim", list(clock()))
    customers = None
    for table, rows in people():
        write(db, table, rows)
        customers = rows
    write(db, "item", list(items()))
    for table, rows in (*places(), *small_tables(), *sales(customers)):
        write(db, table, rows)
    write(db, "inventory", list(inventory()))
    db.execute("ANALYZE")  # for SQLite, whose plans of six joins are far apart
    db.commit()
    db.close()


if __name__ == "__main__":
    make(sys.argv[1])
