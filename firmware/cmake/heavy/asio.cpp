// SPDX-License-Identifier: Apache-2.0
// Boost.Asio's and Boost.Beast's code that is not a template, compiled once.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
