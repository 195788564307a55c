// SPDX-License-Identifier: Apache-2.0
/// The binary interface between a program and its modules. A module exports one function, sealcam_NAME_open.
#pragma once

#include <exception>
#include <memory>
#include <string_view>

#include "base/result.hpp"

namespace sealcam::hal::modules {

/// Arguments of the exported function. Program and module must have the same version.
struct ModuleCall {
  const char* version = nullptr;
  Error error{Errc::io, 0, ""};  ///< set if the function returns null
};

/// Returns an object that the caller deletes, or null. Does not throw.
template <class Interface>
using OpenFunction = Interface*(ModuleCall*) noexcept;

/// The body of the exported function. `make` returns std::unique_ptr<Interface>.
template <class Interface, class Make>
Interface* open_module(ModuleCall& call, Make make) noexcept {
  if (std::string_view(call.version) != SEALCAM_VERSION) {
    call.error = {Errc::unsupported, 0, "program and module have different versions; install the same version of both"};
    return nullptr;
  }
  try {
    std::unique_ptr<Interface> object = make();
    return object.release();
  } catch (const std::exception&) {
    call.error = {Errc::no_memory, 0, "opening a module"};
    return nullptr;
  }
}

}  // namespace sealcam::hal::modules
