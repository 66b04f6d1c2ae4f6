# The sites of this very server, asked as users' requests ask: under the name that
# users know. A certificate has the farm's or the site's name, not the server's, and
# that name may lead to another server or to a load balancer.
# Source: Microsoft, "Plan Office Online Server": the certificate has the fully
# qualified domain name of the farm.

# Returns how this server itself responds to a request for a URL. The first of its
# own addresses that responds decides: a site may listen on one of them alone, where
# another refuses the connection or shows the certificate of another site. Where none
# responds, the problem is that of an address that is listening, if there is one.
# What is compared before and after a restart includes HTTP errors, so they are
# results, not errors of the script. The first request after a restart may take long.
function Get-OwnResponse {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Url,
        [int] $Milliseconds = 30000
    )

    # UnknownError is what .NET calls a refused connection; .NET Framework has a
    # name of its own for it.
    $refused = 'ConnectFailure', 'UnknownError'
    $response = $null
    foreach ($address in @((Get-OwnHostEntry).Addresses) + '127.0.0.1') {
        $next = Send-SiteRequest -Address $address -Url $Url -Milliseconds $Milliseconds
        if ($null -eq $response -or $next.Status -ne 0 -or $response.Problem -in $refused) { $response = $next }
        # Not every address may take so long.
        if ($next.Status -ne 0 -or $next.Problem -eq 'Timeout') { break }
    }
    return [pscustomobject] @{ url = $Url; status = $response.Status; problem = $response.Problem }
}

# Returns the responses for several sites. Together they take less than a minute,
# however many do not respond.
function Get-OwnSite {
    [CmdletBinding()]
    param([string[]] $Sites)

    if ($Sites.Count -eq 0) { return }
    $each = 30000
    if ($each * $Sites.Count -gt 45000) { $each = [int] (45000 / $Sites.Count) }
    foreach ($site in $Sites) { Get-OwnResponse -Url $site -Milliseconds $each }
}
