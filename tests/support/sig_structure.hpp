// SPDX-License-Identifier: Apache-2.0
/// The Sig_structure of COSE_Sign1.
#pragma once

#include "crypto/cbor.hpp"

namespace sealcam::test {

/// The structure of RFC 9052 section 4.4 as bytes, to compare with the digest that cose.cpp computes from its parts.
inline Bytes sig_structure(ByteView protected_header, ByteView external_aad, ByteView payload) {
  const bool empty_map = protected_header.size() == 1 && protected_header[0] == std::byte{0xa0};
  crypto::CborWriter writer;
  writer.array(4).text("Signature1").bytes(empty_map ? ByteView{} : protected_header);
  writer.bytes(external_aad).bytes(payload);
  return writer.take();
}

}  // namespace sealcam::test
