#include "programs.hpp"

#include <cstdio>
#include <exception>
#include <stdexcept>

int main(int argc, char** argv)
try {
    const auto options = decisions::parse_options(argc, argv);
    if (options.program == "echo") return decisions::run_echo(options);
    if (options.program == "load") return decisions::run_load(options);
    if (options.program == "relay") return decisions::run_relay(options);
    throw std::invalid_argument("unknown program '" + options.program + "': echo, load or relay");
} catch (const std::exception& error) {
    std::fprintf(stderr, "decisions: %s\n", error.what());
    return 1;
}
