# Requests to the sites of this machine.

# Returns the machine's DNS name and the addresses that it has; without DNS the
# computer name and no address. Addresses that need a scope cannot be part of a URL.
function Get-OwnHostEntry {
    [CmdletBinding()]
    param()

    try { $entry = [System.Net.Dns]::GetHostEntry('') }
    catch { return [pscustomobject] @{ Name = Get-ComputerName; Addresses = @() } }
    $addresses = @(foreach ($address in $entry.AddressList) { if (-not $address.IsIPv6LinkLocal) { [string] $address } })
    return [pscustomobject] @{ Name = [string] $entry.HostName; Addresses = $addresses }
}

# Sends one request to an address under the host name of a URL, which .NET also
# sends as the name for TLS and expects in the certificate. Returns the status, or 0
# and the name of the WebExceptionStatus.
# No proxy may answer instead, no credentials may open what is closed to users, and
# a redirection is an answer.
# Source: microsoft/referencesource, System/net/System/Net/_Connection.cs and
# HttpWebRequest.cs: Host is the name for TLS.
function Send-SiteRequest {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Address,
        [Parameter(Mandatory = $true)] [uri] $Url,
        [Parameter(Mandatory = $true)] [int] $Milliseconds
    )

    # .NET Framework may offer nothing newer than TLS 1.0. With 0, Windows decides.
    if ([int] [System.Net.ServicePointManager]::SecurityProtocol -ne 0) {
        [System.Net.ServicePointManager]::SecurityProtocol =
            [System.Net.ServicePointManager]::SecurityProtocol -bor [System.Net.SecurityProtocolType]::Tls12
    }
    $target = New-Object System.UriBuilder $Url
    $target.Host = $Address
    $request = [System.Net.WebRequest]::CreateHttp($target.Uri)
    $request.Host = $Url.Authority
    $request.Proxy = $null
    $request.Credentials = $null
    $request.UseDefaultCredentials = $false
    $request.AllowAutoRedirect = $false
    $request.KeepAlive = $false
    $request.UserAgent = 'farmtrust'
    $request.Timeout = $Milliseconds
    $request.ReadWriteTimeout = $Milliseconds
    try { $response = $request.GetResponse() }
    catch [System.Net.WebException] {
        $response = $_.Exception.Response
        if ($null -eq $response) { return [pscustomobject] @{ Status = 0; Problem = [string] $_.Exception.Status } }
    }
    try { return [pscustomobject] @{ Status = [int] $response.StatusCode; Problem = '' } }
    finally { $response.Close() }
}
