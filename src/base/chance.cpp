#include "repartee/base/chance.hpp"

#include <random>

namespace repartee {

double chance()
{
    // Seeded once a thread: random_device asks the CPU what it can do each time, which takes a virtual machine 25 µs.
    thread_local std::minstd_rand generator{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(generator);
}

}  // namespace repartee
