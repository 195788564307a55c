// SPDX-License-Identifier: Apache-2.0
// The code that runs for each frame does not use the C++ heap. mbedTLS allocates its own buffers with calloc().
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <new>

#include "crypto/cose.hpp"
#include "crypto/sframe.hpp"

namespace {
std::atomic<unsigned long> allocations{0};
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

using namespace sealcam;
using namespace sealcam::crypto;

TEST_CASE("sealing, signing, verifying, opening and hashing do not allocate") {
  REQUIRE(init());
  const auto device = VolatileDevice::generate();
  REQUIRE(device);
  const auto keys = device->keys();
  const auto verifier = Verifier::open(keys.identity.public_key());
  REQUIRE(verifier);
  const auto suite = sframe::CipherSuite::aes_128_gcm_sha256_128;
  auto sealing = sframe::SealingKey::open(suite, sframe::KeyId(1), {});
  auto opening = sframe::OpeningKey::open(suite, sframe::KeyId(1), {});
  REQUIRE(sealing);
  REQUIRE(opening);
  const Bytes plaintext(50'000), metadata(120);
  Bytes sealed(sealing->sealed_size(plaintext.size()) + 8), opened(sealed.size());
  bool good = true;

  const auto before = allocations.load();
  for (int i = 0; i < 10; ++i) {
    const auto message = sealing->seal(sealed, metadata, plaintext);
    const auto digest = cose::to_be_signed({}, metadata, *message);
    const auto signature = keys.identity.sign(*digest);
    good =
        good && verifier->verify(*digest, *signature) && opening->open(opened, metadata, *message) && sha256(*message);
    auto rejected = *signature;
    rejected[0] ^= std::byte{1};
    good = good && !verifier->verify(*digest, rejected);
  }
  const auto after = allocations.load();
  CHECK(good);
  CHECK(after - before == 0);
  const Bytes control(1);
  CHECK(allocations.load() > after);  // control: the counter works
}
