// SPDX-License-Identifier: Apache-2.0
// CLI11, compiled once: with CLI11_COMPILE its headers declare and do not define. Debian has no compiled CLI11.
#include <CLI/CLI.hpp>
//
#include <CLI/impl/App_inl.hpp>
#include <CLI/impl/Argv_inl.hpp>
#include <CLI/impl/Config_inl.hpp>
#include <CLI/impl/Encoding_inl.hpp>
#include <CLI/impl/Formatter_inl.hpp>
#include <CLI/impl/Option_inl.hpp>
#include <CLI/impl/Split_inl.hpp>
#include <CLI/impl/StringTools_inl.hpp>
#include <CLI/impl/Validators_inl.hpp>
