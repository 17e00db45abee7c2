#pragma once
#include "repartee/providers/roles.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace repartee::providers {

/// A program to run, and within which bounds. No shell sees it: `argv` is handed over as it stands.
struct ProgramRequest {
    std::vector<std::string> argv;          ///< argv[0] is looked up in PATH unless it holds a slash
    std::string input;                      ///< what it reads from standard input
    std::chrono::milliseconds limit{20'000};
    std::size_t output_bytes_max = 64 << 20;
    std::size_t memory_bytes_max = 0;       ///< address space; 0: no limit
    std::string when_missing;               ///< the mend in the message of Code::not_configured
};

using ByteSink = std::function<void(std::span<const std::byte>)>;

/// Runs one program; `sink` gets its standard output in pieces as it comes. The program and what it started are killed and
/// reaped when `stop` is requested, at a limit, and when the coroutine is cancelled or destroyed: nothing is left behind.
/// Errors: Code::not_configured (not installed), Code::provider_failed (its exit status, with the first 2 KiB of standard error),
/// Code::timeout, Code::too_large, Code::cancelled. `sink` may itself request the stop.
Task<> run_program(ProgramRequest request, ByteSink sink, Stop stop);

/// Whether `program` would be found: in PATH, or as a path when it holds a slash.
bool is_installed(const std::string& program);

}  // namespace repartee::providers
