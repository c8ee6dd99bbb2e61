/* other_flow_graph.c
 * Loaded before Wireshark's own library: what it gives the plugin has another layout than ws_compat.h declares.
 * The one that is defined decides what differs: OTHER_ITEM, OTHER_NODES or OTHER_FLOW.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifdef _WIN32
#include <windows.h>
#else
#define _GNU_SOURCE
#include <dlfcn.h>
#endif
#include <stdbool.h>
#include <string.h>

#include <glib.h>

#if defined(OTHER_ITEM) /* one that begins with a longer number */
void *sequence_analysis_create_sai_with_addresses(void *pinfo, void *flow);
void *sequence_analysis_create_sai_with_addresses(void *pinfo G_GNUC_UNUSED, void *flow G_GNUC_UNUSED)
{
    char *item = g_malloc0(512);

    *(int *)(item + 16) = 2;       /* address: its type, length and octets */
    *(int *)(item + 20) = 4;
    *(char **)(item + 24) = g_strdup("abc");
    return item;
}
#elif defined(OTHER_NODES) /* members that are read and written elsewhere */
int sequence_analysis_get_nodes(void *flow);
int sequence_analysis_get_nodes(void *flow G_GNUC_UNUSED)
{
    return 1;
}
#elif defined(OTHER_FLOW) /* the hash table where the list was; tshark gets its own */
void *sequence_analysis_info_new(void);
void sequence_analysis_info_free(void *flow);

static char other[4096];

#ifdef _WIN32 /* where the real library is own.dll: tests/wine/build-stand-ins */
static bool is_of_plugin(const void *code)
{
    HMODULE module;

    return GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                              (const char *)code, &module) &&
           module == GetModuleHandleA("tcpstate.dll");
}

static void *own_function(const char *name)
{
    return (void *)GetProcAddress(GetModuleHandleA("own.dll"), name);
}
#else
static bool is_of_plugin(const void *code)
{
    Dl_info module;

    return dladdr(code, &module) && strstr(module.dli_fname, "tcpstate.so");
}

static void *own_function(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}
#endif

void *sequence_analysis_info_new(void)
{
    if (!is_of_plugin(__builtin_return_address(0))) {
        void *(*own)(void);
        *(void **)&own = own_function("sequence_analysis_info_new");
        return own();
    }
    *(void **)(other + 16) = g_hash_table_new(NULL, NULL);
    *(void **)(other + 24) = g_queue_new();
    return other;
}

void sequence_analysis_info_free(void *flow)
{
    if (flow == other) {
        g_hash_table_destroy(*(void **)(other + 16));
        g_queue_free(*(void **)(other + 24));
    }
}
#endif
