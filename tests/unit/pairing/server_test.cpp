// SPDX-License-Identifier: Apache-2.0
#include "pairing/server.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using boost::asio::ip::make_address;

TEST_CASE("only peers of the local network and of this machine may pair a device") {
  const auto own = make_address("2001:db8:1:2::10");
  for (const char* local :
       {"127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
        "192.168.255.255", "169.254.0.1", "::1", "fe80::1", "febf::1", "fc00::1", "fdff:ffff::1", "::ffff:192.168.1.2",
        "2001:db8:1:2::11", "2001:db8:1:2:ffff:ffff:ffff:ffff"}) {
    INFO(local);
    CHECK(pairing::is_local(make_address(local), own));
  }
  for (const char* remote : {"8.8.8.8",          "9.255.255.255",
                             "11.0.0.1",         "126.0.0.1",
                             "128.0.0.1",        "172.15.255.255",
                             "172.32.0.1",       "192.167.255.255",
                             "192.169.0.1",      "169.253.0.1",
                             "169.255.0.1",      "100.64.0.1",
                             "0.0.0.0",          "::",
                             "fec0::1",          "fe7f::1",
                             "fbff::1",          "fe00::1",
                             "2001:db8:1:3::10", "2001:db8:1:1:ffff::1",
                             "2a00::1",          "::ffff:8.8.8.8",
                             "::ffff:100.64.0.1"}) {
    INFO(remote);
    CHECK_FALSE(pairing::is_local(make_address(remote), own));
  }
  // The device's own IPv4 address gives no right to a neighbor in a public network.
  CHECK_FALSE(pairing::is_local(make_address("203.0.113.5"), make_address("203.0.113.4")));
  CHECK_FALSE(pairing::is_local(make_address("::ffff:203.0.113.5"), make_address("::ffff:203.0.113.4")));
}
