/* statistics.h
 * What listeners of the tap "tcpstate" show: Statistics > TCP State, and -z tcpstate,...
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef STATISTICS_H
#define STATISTICS_H

/* Each is called once, after the tap has been registered. */
void statistics_register(void);
void states_tree_register(void);

#endif
