// SPDX-License-Identifier: Apache-2.0
/// Published values that the repository carries itself, so that a clone alone is tested against them.
/// Each table says where its values come from. Hexadecimal.
#pragma once

#include <array>
#include <cstdint>

namespace sealcam::test {

/// RFC 9605 appendix C.1: headers.
struct HeaderVector {
  std::uint64_t kid;
  std::uint64_t ctr;
  const char* encoded;
};

inline constexpr auto header_vectors = std::to_array<HeaderVector>({
    {0x0, 0x0, "00"},
    {0x0, 0x1, "01"},
    {0x0, 0xff, "08ff"},
    {0x0, 0x1000000, "0b01000000"},
    {0x0, 0xffffffff, "0bffffffff"},
    {0x0, 0xffffffffffffffff, "0fffffffffffffffff"},
    {0x1, 0x0, "10"},
    {0x1, 0x1, "11"},
    {0x1, 0xff, "18ff"},
    {0xff, 0x0, "80ff"},
    {0xff, 0xffff, "89ffffff"},
    {0xff, 0xffffffffffffffff, "8fffffffffffffffffff"},
    {0x100, 0xffffff, "9a0100ffffff"},
    {0xffff, 0xffffffff, "9bffffffffffff"},
    {0x10000, 0xffffffffff, "ac010000ffffffffff"},
    {0xffffff, 0xffffffffffff, "adffffffffffffffffff"},
    {0x1000000, 0xffffffffffffff, "be01000000ffffffffffffff"},
    {0xffffffff, 0xffffffff, "bbffffffffffffffff"},
    {0xffffffff, 0x100000000000000, "bfffffffff0100000000000000"},
    {0xffffffff, 0xffffffffffffffff, "bfffffffffffffffffffffffff"},
    {0xffffffffff, 0x1, "c1ffffffffff"},
    {0x10000000000, 0x100, "d90100000000000100"},
    {0xffffffffffff, 0x10000, "daffffffffffff010000"},
    {0x1000000000000, 0x1000000, "eb0100000000000001000000"},
    {0xffffffffffffff, 0x100000000, "ecffffffffffffff0100000000"},
    {0x100000000000000, 0x10000000000, "fd0100000000000000010000000000"},
    {0xffffffffffffffff, 0x1000000000000, "feffffffffffffffff01000000000000"},
    {0xffffffffffffffff, 0x100000000000000, "ffffffffffffffffff0100000000000000"},
    {0xffffffffffffffff, 0xffffffffffffffff, "ffffffffffffffffffffffffffffffffff"},
});

/// RFC 9605 appendix C.3: SFrame encryption, suites 4 and 5. The base key has 16 bytes for both.
struct SframeVector {
  int suite;
  std::uint64_t kid;
  std::uint64_t ctr;
  const char* base_key;
  const char* key_label;
  const char* salt_label;
  const char* secret;
  const char* key;
  const char* salt;
  const char* metadata;
  const char* nonce;
  const char* aad;
  const char* plaintext;
  const char* ciphertext;
};

inline constexpr auto sframe_vectors = std::to_array<SframeVector>({
    {4, 0x123, 0x4567,
     /*base_key*/ "000102030405060708090a0b0c0d0e0f",
     /*sframe_key_label*/ "534672616d6520312e3020536563726574206b65792000000000000001230004",
     /*sframe_salt_label*/ "534672616d6520312e30205365637265742073616c742000000000000001230004",
     /*sframe_secret*/ "d926952ca8b7ec4a95941d1ada3a5203ceff8cceee34f574d23909eb314c40c0",
     /*sframe_key*/ "d34f547f4ca4f9a7447006fe7fcbf768",
     /*sframe_salt*/ "75234edefe07819026751816",
     /*metadata*/ "4945544620534672616d65205747",
     /*nonce*/ "75234edefe07819026755d71",
     /*aad*/ "99012345674945544620534672616d65205747",
     /*pt*/ "64726166742d696574662d736672616d652d656e63",
     /*ct*/ "9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0b091c07018ce4adb34eb"},
    {5, 0x123, 0x4567,
     /*base_key*/ "000102030405060708090a0b0c0d0e0f",
     /*sframe_key_label*/ "534672616d6520312e3020536563726574206b65792000000000000001230005",
     /*sframe_salt_label*/ "534672616d6520312e30205365637265742073616c742000000000000001230005",
     /*sframe_secret*/
     "0fc3ea6de6aac97a35f194cf9bed94d4b5230f1cb45a785c9fe5dce9c188938ab6ba005bc4c0a19181599e9d1bcf7b74"
     "aca48b60bf5e254e546d809313e083a3",
     /*sframe_key*/ "d3e27b0d4a5ae9e55df01a70e6d4d28d969b246e2936f4b7a5d9b494da6b9633",
     /*sframe_salt*/ "84991c167b8cd23c93708ec7",
     /*metadata*/ "4945544620534672616d65205747",
     /*nonce*/ "84991c167b8cd23c9370cba0",
     /*aad*/ "99012345674945544620534672616d65205747",
     /*pt*/ "64726166742d696574662d736672616d652d656e63",
     /*ct*/ "990123456794f509d36e9beacb0e261d99c7d1e972f1fed787d4049f17ca21353c1cc24d56ceabced279"},
});

/// RFC 9180 appendix A.3.1 (AES-128-GCM), and the same KEM, KDF and mode with AES-256-GCM from the
/// CFRG's machine-readable vectors that appendix A is taken from: base mode, DHKEM(P-256, HKDF-SHA256),
/// HKDF-SHA256.
struct HpkeEncryption {
  const char* aad;
  const char* nonce;
  const char* plaintext;
  const char* ciphertext;
};
struct HpkeVector {
  int aead;
  const char* info;
  const char* recipient_secret;
  const char* recipient_public;
  const char* ephemeral_secret;
  const char* enc;
  const char* shared_secret;
  const char* key_schedule_context;
  const char* secret;
  const char* key;
  const char* base_nonce;
  const char* exporter_secret;
  std::array<HpkeEncryption, 3> encryptions;  ///< sequence numbers 0, 1, 2
};

inline constexpr auto hpke_vectors = std::to_array<HpkeVector>({
    {1,
     /*info*/ "4f6465206f6e2061204772656369616e2055726e",
     /*skRm*/ "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
     /*pkRm*/
     "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d3"
     "0ad6aa8f80e30f1d128aafd68a2ce72ea0",
     /*skEm*/ "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb",
     /*enc*/
     "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900"
     "be863c403ce65c9bfcb9382657222d18c4",
     /*shared_secret*/ "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8",
     /*key_schedule_context*/
     "00b88d4e6d91759e65e87c470e8b9141113e9ad5f0c8ceefc1e088c82e6980500798e486f9c9c09c9b5c753ac72d6005"
     "de254c607d1b534ed11d493ae1c1d9ac85",
     /*secret*/ "2eb7b6bf138f6b5aff857414a058a3f1750054a9ba1f72c2cf0684a6f20b10e1",
     /*key*/ "868c066ef58aae6dc589b6cfdd18f97e",
     /*base_nonce*/ "4e0bc5018beba4bf004cca59",
     /*exporter_secret*/ "14ad94af484a7ad3ef40e9f3be99ecc6fa9036df9d4920548424df127ee0d99f",
     {{
         {"436f756e742d30", "4e0bc5018beba4bf004cca59", "4265617574792069732074727574682c20747275746820626561757479",
          "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434"},
         {"436f756e742d31", "4e0bc5018beba4bf004cca58", "4265617574792069732074727574682c20747275746820626561757479",
          "fa6f037b47fc21826b610172ca9637e82d6e5801eb31cbd3748271affd4ecb06646e0329cbdf3c3cd655b28e82"},
         {"436f756e742d32", "4e0bc5018beba4bf004cca5b", "4265617574792069732074727574682c20747275746820626561757479",
          "895cabfac50ce6c6eb02ffe6c048bf53b7f7be9a91fc559402cbc5b8dcaeb52b2ccc93e466c28fb55fed7a7fec"},
     }}},
    {2,
     /*info*/ "4f6465206f6e2061204772656369616e2055726e",
     /*skRm*/ "317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2",
     /*pkRm*/
     "04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f853148544876de76c0f2ef99cdc3a0"
     "5ccf5ded7860c7c021238f9e2073d2356c",
     /*skEm*/ "90345e3a1d116c1dd39ae76d95ab858c142223a63e44f8f85318cfa91a84858e",
     /*enc*/
     "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e0b21bd31a86c6048af3cb2d98e0d3b"
     "f01da5cc4c39ff5370d331a4f1f7d5a4e0",
     /*shared_secret*/ "48893fecd82f7c3456af6a42d8f56325d21e08c10fa81299986aaff54cde7b49",
     /*key_schedule_context*/
     "008fc3aeb832490a4b5ab3e42023287db29a1f4bc7c222c0df228727b70a4021127f1ff3fd1aa97af7e5d473e1cb01ba"
     "74831133d9659b6c26b03a038a49a84074",
     /*secret*/ "520da82c752ee6e0be7aafbad57a62535d266b6333513d3eb94cb497dceaf94e",
     /*key*/ "ee16802a936d5f544771131900ee6973d0551de9e852ece2ef34bf0d5f9e1d1d",
     /*base_nonce*/ "9bc50980832a7b4b58c40161",
     /*exporter_secret*/ "a8e9a7e62621879fdc89cea7da8e6153458f463e2851baaf009a7461d699cfb6",
     {{
         {"436f756e742d30", "9bc50980832a7b4b58c40161", "4265617574792069732074727574682c20747275746820626561757479",
          "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da49f8f96f"},
         {"436f756e742d31", "9bc50980832a7b4b58c40160", "4265617574792069732074727574682c20747275746820626561757479",
          "b4e7c90d1dd62cb563694956eb517ab55d5e7d1f6366a0066c04ababaa444dbaf60a30d7bb7d3e91b969762dee"},
         {"436f756e742d32", "9bc50980832a7b4b58c40163", "4265617574792069732074727574682c20747275746820626561757479",
          "65463cc0e5fd16e1650a55fb37d5b6fe6e5ac5b6f6e8c2640cfb0fcd528dc37bc0963b5c53d6238c42d447ddf4"},
     }}},
});

/// The COSE working group's examples (cose-wg/Examples: sign1-tests, ecdsa-examples), COSE_Sign1 with
/// key "11" on P-256.
inline constexpr const char* cose_key =
    "04bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff"
    "20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e";

/// What Sealcam has to say to an example. `verifies_tagged`: refused as it stands since Sealcam wants
/// the tag, verifies once it is put in front. `unprotected_algorithm`: the signature is good, but the
/// algorithm is not under it, which Sealcam refuses.
enum class CoseOutcome { verifies, verifies_tagged, unprotected_algorithm, unsupported, malformed, bad_signature };

struct CoseVector {
  const char* name;
  CoseOutcome outcome;
  const char* external_aad;
  const char* message;
  const char* to_be_signed;  ///< what the author of the example signed
};

inline constexpr auto cose_vectors = std::to_array<CoseVector>({
    {"ecdsa-sig-01", CoseOutcome::verifies, "",
     "d28445a201260300a10442313154546869732069732074686520636f6e74656e742e58406520bbaf2081d7e0ed0f95f7"
     "6eb0733d667005f7467cec4b87b9381a6ba1ede8e00df29f32a37230f39a842a54821fdd223092819d7728efb9d3a008"
     "0b75380b",
     "846a5369676e61747572653145a2012603004054546869732069732074686520636f6e74656e742e"},
    {"ecdsa-sig-04", CoseOutcome::unsupported, "",
     "d28444a1013823a10442313154546869732069732074686520636f6e74656e742e5840eb18b84ed674284e5ed861c394"
     "3e101bed5db9f560c0f0292b34362990d1c59b10df7946cbc6ca3dcbd6c17a6dd1d711f50337baa6b4fcfae0efc70e52"
     "c1de0f",
     "846a5369676e61747572653144a10138234054546869732069732074686520636f6e74656e742e"},
    {"sign-fail-01", CoseOutcome::malformed, "",
     "d903e68443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac"
     "34cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c3"
     "45cacb36",
     "846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e"},
    {"sign-fail-02", CoseOutcome::bad_signature, "",
     "d28443a10126a10442313154546869732069732074686520636f6e74656e742f58408eb33e4ca31d1c465ab05aac34cc"
     "6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345ca"
     "cb36",
     "846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e"},
    {"sign-fail-03", CoseOutcome::unsupported, "",
     "d28445a1013903e6a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac"
     "34cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c3"
     "45cacb36",
     "846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e"},
    {"sign-fail-04", CoseOutcome::unsupported, "",
     "d2844aa10167756e6b6e6f776ea10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c"
     "465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b"
     "0916e5a4c345cacb36",
     "846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e"},
    {"sign-fail-06", CoseOutcome::bad_signature, "",
     "d28445a201260300a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac"
     "34cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c3"
     "45cacb36",
     "846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e"},
    {"sign-fail-07", CoseOutcome::bad_signature, "",
     "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58406520bbaf2081d7e0ed0f95f76eb0"
     "733d667005f7467cec4b87b9381a6ba1ede8e00df29f32a37230f39a842a54821fdd223092819d7728efb9d3a0080b75"
     "380b",
     "846a5369676e61747572653145a2012603004054546869732069732074686520636f6e74656e742e"},
    {"sign-pass-01", CoseOutcome::unprotected_algorithm, "",
     "d28441a0a201260442313154546869732069732074686520636f6e74656e742e584087db0d2e5571843b78ac33ecb283"
     "0df7b6e0a4d5b7376de336b23c591c90c425317e56127fbe04370097ce347087b233bf722b64072beb4486bda4031d27"
     "244f",
     "846a5369676e617475726531404054546869732069732074686520636f6e74656e742e"},
    {"sign-pass-02", CoseOutcome::verifies, "11aa22bb33cc44dd55006699",
     "d28443a10126a10442313154546869732069732074686520636f6e74656e742e584010729cd711cb3813d8d8e944a8da"
     "7111e7b258c9bdca6135f7ae1adbee9509891267837e1e33bd36c150326ae62755c6bd8e540c3e8f92d7d225e8db72b8"
     "820b",
     "846a5369676e61747572653143a101264c11aa22bb33cc44dd5500669954546869732069732074686520636f6e74656e742e"},
    {"sign-pass-03", CoseOutcome::verifies_tagged, "",
     "8443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b"
     "23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb"
     "36",
     "846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e"},
});

}  // namespace sealcam::test
