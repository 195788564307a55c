// SPDX-License-Identifier: Apache-2.0
// RFC 9679 section 6: the example key and its thumbprint.
#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "crypto/keys.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;

TEST_CASE("COSE Key Thumbprint of RFC 9679 section 6") {
  REQUIRE(init());
  const auto key =
      PublicKey::parse(hex("04"
                           "65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"
                           "1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"));
  REQUIRE(key);
  CHECK(to_hex(key->thumbprint()) == "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec");
  CHECK(to_hex(key->id().bytes()) == "496bd8afadf307e5b08c64b0421bf9dc01528a34");
}
