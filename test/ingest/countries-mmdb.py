# Makes countries.mmdb again, the small database that the tests of --geoip read:
#   pip install mmdb-writer && python3 countries-mmdb.py
# The addresses are those that RFC 5737 and RFC 3849 keep for documentation, the countries made up.
from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-Country", languages=["en"])
for networks, record in (
    (["192.0.2.0/25"], {"country": {"iso_code": "DE"}, "registered_country": {"iso_code": "FR"}}),
    (["192.0.2.128/25", "2001:db8:1::/48"], {"registered_country": {"iso_code": "FR"}}),
    (["198.51.100.0/24"], {"continent": {"code": "EU"}}),
    (["203.0.113.0/24", "2001:db8:2::/48"], {"country": {"iso_code": "BR"}}),
):
    writer.insert_network(IPSet(networks), record)
writer.to_db_file(str(Path(__file__).with_name("countries.mmdb")))
